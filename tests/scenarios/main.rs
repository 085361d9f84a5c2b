//! Scenarios in the embedded cloud: an event or a command, and the state of the mirror after it.

/// The budget of Docker Hub pulls: which images are copied first, and what stays reserved.
mod budget;
/// The command line: plan, sync, status, ensure, demo and exit codes.
mod cli;
/// Transfer of layers over bad connections: ranges, interruptions, wrong bytes.
mod copying;
/// Credentials and tokens: refused, unreadable, rotated, expired.
mod credentials;
/// Looking up what a destination holds, and mounting blobs of its other repositories.
mod destination_lookups;
/// From an event through the queue to the registry and its record.
mod end_to_end;
/// Builds that ask `ensure` for images.
mod ensure;
/// Images that fail: their status and reason, and the others beside them.
mod faults;
/// The binaries of the five functions under the Lambda Runtime API.
mod lambda;
/// Rate limits of Docker Hub and of ECR.
mod limits;
/// Events on the bus and messages on the topic.
mod notifications;
/// Registries that serve the same bytes without counting pulls.
mod origins;
/// Images that are requested by digest.
mod pins;
/// Subsets of the platforms of an index.
mod platforms;
/// Public copies that wait for a clean scan.
mod publication;
/// Redelivery of the queue's messages.
mod queue;
/// Prices of copies, reservations and spent pulls.
mod quota;
/// Settings and resource tags of repositories.
mod repositories;
/// The pulls and requests that a refresh or a build costs.
mod requests_counted;
/// Scans that make `rescan` look for a newer image.
mod rescan;
/// Pull failures that make `rescue` copy an image.
mod rescue;
/// Scheduled retries of deferred images.
mod retries;
/// Tags that selectors take from tag lists.
mod selection;
/// Tag lists of registries that paginate in unusual ways.
mod tag_lists;
/// TLS and proxies.
mod tls;
