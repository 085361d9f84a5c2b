"""What functions in containers use: an AWS account with a queue and a catalogue, Docker Hub, and the mirror."""

import json
import os
from base64 import b64decode
from contextlib import suppress
from time import time

import boto3
from sam_parts import ACCOUNT, REGION, digest, moto, publish, pull, registry, relay

CATALOGUE = """
destinations: { private: { ecr: { repository: "docker-hub/{repository}" } } }
defaults: { to: [private], platforms: all }
images:
  - { image: nginx, tags: [1.27-alpine] }
  - { image: node, tags: [24-alpine] }
rescue: { allow: ["library/*"] }
"""
GOLANG, NGINX, NODE_22, NODE_24, REDIS = IMAGES = [
    "library/golang:1.24",
    "library/nginx:1.27-alpine",
    "library/node:22-alpine",
    "library/node:24-alpine",
    "library/redis:7",
]
MIRRORED = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/docker-hub/{NGINX}"
BUILD_LOG = ("/aws/codebuild/app-image", "8745a7a9-c340-456a-9166-edf953571bee")
LOG_LINE = "ERROR: docker.io/library/node:24-alpine: 429 Too Many Requests - Server message: toomanyrequests"


class World:
    """All services. Only Docker Hub has images at the start. They end with the stack."""

    def __init__(self, stack, directory):
        self.aws_url = moto(stack, directory)
        # SAM needs credentials too.
        os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}
        os.environ["AWS_ENDPOINT_URL"] = self.aws_url
        token = boto3.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        self.password = b64decode(token).decode().removeprefix("AWS:")
        self.hub = registry(stack, directory, "hub")
        self.mirror = registry(stack, directory, "mirror", self.password)
        attributes = {"FifoQueue": "true", "VisibilityTimeout": "5400"}
        self.queue = boto3.client("sqs").create_queue(QueueName="work.fifo", Attributes=attributes)["QueueUrl"]
        name = "/image-replicator/catalogue/default"
        boto3.client("ssm").put_parameter(Name=name, Value=CATALOGUE, Type="String")
        self.write_build_log()
        self.digests = {image: publish(self.hub, *image.split(":")) for image in IMAGES}
        self.settings = directory / "settings.json"
        self.settings.write_text(json.dumps({"Parameters": self.environment()}))

    def write_build_log(self):
        logs, names = boto3.client("logs"), dict(zip(("logGroupName", "logStreamName"), BUILD_LOG, strict=True))
        logs.create_log_group(logGroupName=BUILD_LOG[0])
        logs.create_log_stream(**names)
        logs.put_log_events(**names, logEvents=[{"timestamp": round(time() * 1000), "message": LOG_LINE}])

    def environment(self):
        """The variables of the functions, with addresses that containers can reach."""
        gateway = relay([self.aws_url, self.hub, self.mirror])
        hub, mirror, aws_url, queue = (
            url.replace("127.0.0.1", gateway) for url in (self.hub, self.mirror, self.aws_url, self.queue)
        )
        return {
            "AWS_ENDPOINT_URL": aws_url,
            "REPLICATOR_QUEUE_URL": queue,
            "REPLICATOR_CATALOGUE": "ssm:/image-replicator/catalogue",
            "REPLICATOR_DOCKER_HUB_SECRET": "",
            "REPLICATOR_FAILURE_TOPIC": "",
            # Empty, because SAM would invent an ARN for the role. There is no scheduler here.
            "REPLICATOR_WAKE_UP_FUNCTION": "",
            "REPLICATOR_WAKE_UP_ROLE": "",
            "REPLICATOR_REGISTRY_ENDPOINTS": f"docker.io={hub},{MIRRORED.split('/')[0]}={mirror}",
        }

    def copy_without_queue(self):
        """Removes the queue from the settings, because there is no worker."""
        parameters = json.loads(self.settings.read_text())["Parameters"]
        self.settings.write_text(json.dumps({"Parameters": parameters | {"REPLICATOR_QUEUE_URL": ""}}))

    def messages(self):
        """Removes all messages from the queue. Returns them as the events that Lambda would make of them."""
        sqs, events = boto3.client("sqs"), []
        options = {"QueueUrl": self.queue, "AttributeNames": ["All"], "MaxNumberOfMessages": 10}
        while found := sqs.receive_message(**options).get("Messages"):
            for message in found:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                record = {"messageId": message["MessageId"], "body": message["Body"], "attributes": message["Attributes"]}
                events.append({"Records": [record | {"eventSource": "aws:sqs", "awsRegion": REGION}]})
        return events

    def mirrored(self):
        """The digest of each image in the mirror. Registers them with moto, which does not see pushed images."""
        found, ecr = {}, boto3.client("ecr")
        for image in self.digests:
            repository, tag = f"docker-hub/{image}".split(":")
            if manifest := pull(self.mirror, self.password, repository, tag):
                found[image] = digest(manifest)
                with suppress(ecr.exceptions.ImageAlreadyExistsException):
                    ecr.put_image(
                        repositoryName=repository, imageTag=tag, imageDigest=found[image], imageManifest=manifest.decode()
                    )
        return found
