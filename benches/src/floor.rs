//! The floor: a program that reads each blob, hashes it, writes it, and does nothing else.
//!
//! It checks nothing at the destination, retries nothing and trusts the source's lengths. No tool
//! can copy with less work on the same connections. It copies several blobs concurrently, with one
//! thread for each, on connections that it keeps open.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use image_replicator::image::digest::Hasher;
use serde::Deserialize;

use crate::http::{Connection, Origin};
use crate::lock::lock;

/// Threads, each with one connection to either side.
const WORKERS: usize = 8;
/// Bytes per read and write.
const BUFFER_BYTES: usize = 256 * 1024;

/// What the floor copies.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Registry to read from
    #[arg(long)]
    source: SocketAddr,
    /// Registry to write to
    #[arg(long)]
    destination: SocketAddr,
    /// Use TLS and trust this certificate authority, a PEM file
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Do not hash the blobs
    #[arg(long)]
    unhashed: bool,
    /// Images as `repository:tag`
    images: Vec<String>,
}

/// A connection to each side.
struct Worker {
    source: Connection,
    destination: Connection,
    buffer: Vec<u8>,
}

/// A manifest that was read from the source.
struct Manifest {
    repository: String,
    /// Tag or digest.
    reference: String,
    media_type: String,
    bytes: Vec<u8>,
}

/// A blob in a repository. Ordered by size, so that the largest can be copied first: a large blob
/// that is copied last would keep one worker busy alone.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Blob {
    size_bytes: u64,
    repository: String,
    digest: String,
}

/// The descriptors in a manifest or an index.
#[derive(Deserialize)]
struct View {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
}

/// Copies the images: reads all manifests, copies the blobs, then writes the manifests, children
/// first.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let source = Origin::new(options.source, options.ca.as_deref())?;
    let destination = Origin::new(options.destination, options.ca.as_deref())?;
    copy(options, &source, &destination).map_err(|error| format!("the floor cannot copy: {error}"))
}

fn copy(options: &Options, source: &Origin, destination: &Origin) -> io::Result<()> {
    let mut workers = Vec::with_capacity(WORKERS);
    for _ in 0..WORKERS {
        workers.push(Worker::connect(source, destination)?);
    }

    let images = options.images.iter().map(String::as_str).collect();
    let mut manifests = Vec::new();
    let mut blobs = BTreeSet::new();
    for (image_manifests, image_blobs) in run_all(&mut workers, images, Worker::read_image)? {
        manifests.extend(image_manifests);
        blobs.extend(image_blobs);
    }

    let largest_first = blobs.into_iter().rev().collect();
    run_all(&mut workers, largest_first, |worker, blob| {
        worker.copy_blob(&blob, !options.unhashed)
    })?;

    let (children, tagged) = manifests
        .into_iter()
        .partition(|manifest: &Manifest| manifest.reference.starts_with("sha256:"));
    run_all(&mut workers, children, Worker::write_manifest)?;
    run_all(&mut workers, tagged, Worker::write_manifest)?;
    Ok(())
}

/// Runs `task` for all `inputs`, spread over the workers. Returns the first error, if any.
fn run_all<I: Send, T: Send>(
    workers: &mut [Worker],
    inputs: Vec<I>,
    task: impl Fn(&mut Worker, I) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    let queue = Mutex::new(inputs.into_iter());
    let next_input = || lock(&queue).next();
    let run_worker = |worker: &mut Worker| -> io::Result<Vec<T>> {
        let mut results = Vec::new();
        while let Some(input) = next_input() {
            results.push(task(worker, input)?);
        }
        Ok(results)
    };
    thread::scope(|scope| {
        let run_worker = &run_worker;
        let mut threads = Vec::new();
        for worker in workers {
            threads.push(scope.spawn(move || run_worker(worker)));
        }
        let mut all_results = Vec::new();
        for thread in threads {
            all_results.extend(thread.join().expect("no worker panics")?);
        }
        Ok(all_results)
    })
}

impl Worker {
    fn connect(source: &Origin, destination: &Origin) -> io::Result<Self> {
        Ok(Self {
            source: source.connect()?,
            destination: destination.connect()?,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Reads the manifests of an image. Returns them children first, and the blobs that they list.
    fn read_image(&mut self, image: &str) -> io::Result<(Vec<Manifest>, Vec<Blob>)> {
        let (repository, tag) = image
            .rsplit_once(':')
            .ok_or_else(|| io::Error::other(format!("{image} has no tag")))?;
        let mut manifests = Vec::new();
        let mut blobs = Vec::new();
        let mut unread = vec![tag.to_owned()];
        while let Some(reference) = unread.pop() {
            let (manifest, view) = self.read_manifest(repository, reference)?;
            manifests.push(manifest);
            unread.extend(view.manifests.into_iter().map(|child| child.digest));
            for descriptor in view.config.into_iter().chain(view.layers) {
                blobs.push(Blob {
                    size_bytes: descriptor.size,
                    repository: repository.to_owned(),
                    digest: descriptor.digest,
                });
            }
        }
        manifests.reverse();
        Ok((manifests, blobs))
    }

    fn read_manifest(
        &mut self,
        repository: &str,
        reference: String,
    ) -> io::Result<(Manifest, View)> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let (head, bytes) = self.source.request("GET", &path, "text/plain", &[])?;
        let view = serde_json::from_slice(&bytes)?;
        let manifest = Manifest {
            repository: repository.to_owned(),
            reference,
            media_type: head.media_type.unwrap_or_default(),
            bytes,
        };
        Ok((manifest, view))
    }

    /// Copies a blob. The requests to both sides are sent before either response is read.
    fn copy_blob(&mut self, blob: &Blob, is_hashed: bool) -> io::Result<()> {
        let repository = &blob.repository;
        let digest = &blob.digest;
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let path = format!("/v2/{repository}/blobs/{digest}");
        self.destination.send("POST", &uploads, "text/plain", 0)?;
        self.source.send("GET", &path, "text/plain", 0)?;

        let created = self.destination.read_head()?;
        let session = created.check_success("POST", &uploads)?.location;
        let session = session.ok_or_else(|| io::Error::other("the upload has no location"))?;
        let target = format!("{session}?digest={digest}");
        self.destination
            .send("PUT", &target, "application/octet-stream", blob.size_bytes)?;
        self.source.read_head()?.check_success("GET", &path)?;

        let received = self.copy_bytes(blob.size_bytes, is_hashed)?;
        if received.is_some_and(|received| received != *digest) {
            return Err(io::Error::other(format!("{digest} has other bytes")));
        }
        self.destination
            .read_head()?
            .check_success("PUT", &target)?;
        Ok(())
    }

    /// Copies the body of a response into the body of a request. Returns its digest, if hashed.
    fn copy_bytes(&mut self, size_bytes: u64, is_hashed: bool) -> io::Result<Option<String>> {
        let mut hasher = is_hashed.then(Hasher::new);
        let mut left_bytes = size_bytes;
        while left_bytes > 0 {
            let room =
                usize::try_from(left_bytes).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
            let read = self.source.read_body(&mut self.buffer[..room])?;
            let bytes = &self.buffer[..read];
            if let Some(hasher) = &mut hasher {
                hasher.update(bytes);
            }
            self.destination.write_all(bytes)?;
            left_bytes -= read as u64;
        }
        Ok(hasher.map(|hasher| hasher.finish().into()))
    }

    fn write_manifest(&mut self, manifest: Manifest) -> io::Result<()> {
        let Manifest {
            repository,
            reference,
            media_type,
            bytes,
        } = manifest;
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.destination
            .request("PUT", &path, &media_type, &bytes)?;
        Ok(())
    }
}
