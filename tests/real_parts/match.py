"""Prints which rules of a SAM template match which events, by moto's implementation of EventBridge patterns.

Usage: match.py TEMPLATE <EVENTS, where the events are a JSON object of name and event. Prints a JSON object of name and a
list of rules, each as Function.Rule. Parameters have their defaults, and every rule counts as enabled.
"""

import json
import re
import sys
from itertools import chain, product

from moto.events.models import EventPattern
from samcli.yamlhelper import yaml_parse

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "image-replicator",
}


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    patterns = dict(rules(template))
    matched = {name: [rule for rule in patterns if matches(patterns[rule], event)] for name, event in json.load(sys.stdin).items()}
    json.dump(matched, sys.stdout)


def rules(template):
    """Each rule's name and pattern."""
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    for function, resource in template["Resources"].items():
        for name, event in resource.get("Properties", {}).get("Events", {}).items():
            if event["Type"] == "EventBridgeRule":
                pattern = resolve(event["Properties"]["Pattern"], defaults | PSEUDO_PARAMETERS)
                yield f"{function}.{name}", EventPattern.load(json.dumps(pattern))


def resolve(node, values):
    """The node with the values of its references. Only what patterns need: Ref and Fn::Sub; anything else is an error."""
    match node:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda reference: values[reference[1]], text)
        case dict():
            intrinsic = [key for key in node if key.startswith("Fn::")]
            assert not intrinsic, f"{intrinsic} in a pattern"
            return {key: resolve(value, values) for key, value in node.items()}
        case list():
            return [resolve(value, values) for value in node]
    return node


def matches(pattern, event):
    """moto does not look into arrays of objects; EventBridge requires that one element matches the whole pattern."""
    return any(pattern.matches_event(alternative) for alternative in alternatives(event))


def alternatives(node):
    """The node with each array of objects replaced by one of its elements, in every combination."""
    if isinstance(node, dict):
        for values in product(*map(alternatives, node.values())):
            yield dict(zip(node, values, strict=True))
    elif isinstance(node, list) and any(isinstance(element, dict) for element in node):
        yield from chain.from_iterable(map(alternatives, node))
    else:
        yield node


main(*sys.argv[1:])
