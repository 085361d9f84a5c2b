//! The floor: a program that reads each blob, hashes it, writes it, and does nothing else.
//!
//! It looks for nothing at the destination, retries nothing and trusts the source's lengths; no copying tool can do with less work on
//! the same connections. Several blobs at once, one thread for each, on connections that are kept.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use image_replicator::image::digest::Hasher;
use serde::Deserialize;

use crate::http::{Connection, Origin};

/// Blobs at once.
const AT_ONCE: usize = 8;
/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// What the floor copies.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to read
    #[arg(long)]
    source: SocketAddr,
    /// Where to write
    #[arg(long)]
    destination: SocketAddr,
    /// Speak TLS and trust this authority, a PEM file
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Do not hash either
    #[arg(long)]
    unhashed: bool,
    /// `repository:tag`
    images: Vec<String>,
}

/// A connection to each side.
struct Worker {
    source: Connection,
    destination: Connection,
    buffer: Vec<u8>,
}

/// A manifest on its way.
struct Manifest {
    repository: String,
    reference: String,
    media_type: String,
    bytes: Vec<u8>,
}

/// A blob by its repository and digest. The larger goes first, so that none is left over at the end.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Blob {
    size_bytes: u64,
    repository: String,
    digest: String,
}

/// What a manifest or an index names.
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

/// Copies the images: all manifests are read, then the blobs are copied, then the manifests are written, children first.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let origin = |address| Origin::new(address, options.ca.as_deref());
    let (source, destination) = (origin(options.source)?, origin(options.destination)?);
    copy(options, &source, &destination).map_err(|error| format!("the floor cannot copy: {error}"))
}

fn copy(options: &Options, source: &Origin, destination: &Origin) -> io::Result<()> {
    let connect = |_| -> io::Result<Worker> {
        let (source, destination) = (source.connect()?, destination.connect()?);
        Ok(Worker {
            source,
            destination,
            buffer: vec![0; BUFFER_BYTES],
        })
    };
    let mut workers: Vec<Worker> = (0..AT_ONCE).map(connect).collect::<io::Result<_>>()?;
    let images: Vec<&str> = options.images.iter().map(String::as_str).collect();
    let read = each(&mut workers, images, Worker::read_image)?;
    let (mut manifests, mut blobs) = (Vec::new(), BTreeSet::new());
    for (found, named) in read {
        manifests.extend(found);
        blobs.extend(named);
    }
    let blobs = blobs.into_iter().rev().collect();
    each(&mut workers, blobs, |worker, blob| {
        worker.copy_blob(&blob, !options.unhashed)
    })?;
    let (children, tagged): (Vec<_>, Vec<_>) = manifests
        .into_iter()
        .partition(|manifest| manifest.reference.starts_with("sha256:"));
    each(&mut workers, children, |worker, manifest| {
        worker.write_manifest(&manifest)
    })?;
    each(&mut workers, tagged, |worker, manifest| {
        worker.write_manifest(&manifest)
    })?;
    Ok(())
}

/// Has the workers do all of `works`; the first failure is the result.
fn each<W: Send, T: Send>(
    workers: &mut [Worker],
    works: Vec<W>,
    work: impl Fn(&mut Worker, W) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    let works = Mutex::new(works.into_iter());
    let next = || works.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        let work_off = |worker: &mut Worker| -> io::Result<Vec<T>> {
            let mut done = Vec::new();
            while let Some(one) = next() {
                done.push(work(worker, one)?);
            }
            Ok(done)
        };
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(move || work_off(worker)))
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("no worker panics"));
        joined
            .collect::<io::Result<Vec<_>>>()
            .map(|done| done.into_iter().flatten().collect())
    })
}

impl Worker {
    /// The manifests of an image, children first, and its blobs.
    fn read_image(&mut self, image: &str) -> io::Result<(Vec<Manifest>, Vec<Blob>)> {
        let (repository, tag) = image
            .rsplit_once(':')
            .ok_or_else(|| io::Error::other("an image has a tag"))?;
        let (mut manifests, mut blobs, mut left) = (Vec::new(), Vec::new(), vec![tag.to_owned()]);
        while let Some(reference) = left.pop() {
            let path = format!("/v2/{repository}/manifests/{reference}");
            let (head, bytes) = self.source.ask("GET", &path, "text/plain", &[])?;
            let view: View = serde_json::from_slice(&bytes)?;
            left.extend(view.manifests.into_iter().map(|child| child.digest));
            blobs.extend(view.config.into_iter().chain(view.layers).map(|blob| Blob {
                size_bytes: blob.size,
                repository: repository.to_owned(),
                digest: blob.digest,
            }));
            let media_type = head.media_type.unwrap_or_default();
            manifests.push(Manifest {
                repository: repository.to_owned(),
                reference,
                media_type,
                bytes,
            });
        }
        manifests.reverse();
        Ok((manifests, blobs))
    }

    /// Both sides are asked at once; then bytes go from one to the other.
    fn copy_blob(&mut self, blob: &Blob, is_hashed: bool) -> io::Result<()> {
        let Blob {
            size_bytes,
            repository,
            digest,
        } = blob;
        let (uploads, path) = (
            format!("/v2/{repository}/blobs/uploads/"),
            format!("/v2/{repository}/blobs/{digest}"),
        );
        self.destination.send("POST", &uploads, "text/plain", 0)?;
        self.source.send("GET", &path, "text/plain", 0)?;
        let session = self.destination.answer()?.of_success("POST", &uploads)?;
        let session = session
            .location
            .ok_or_else(|| io::Error::other("the upload has no location"))?;
        let target = format!("{session}?digest={digest}");
        self.destination
            .send("PUT", &target, "application/octet-stream", *size_bytes)?;
        self.source.answer()?.of_success("GET", &path)?;
        let mut hasher = is_hashed.then(Hasher::new);
        let mut left = *size_bytes;
        while left > 0 {
            let room = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(BUFFER_BYTES);
            let read = self.source.read_body(&mut self.buffer[..room])?;
            let bytes = &self.buffer[..read];
            if let Some(hasher) = &mut hasher {
                hasher.update(bytes);
            }
            self.destination.write_all(bytes)?;
            left -= read as u64;
        }
        if hasher.is_some_and(|hasher| hasher.finish().as_str() != digest) {
            return Err(io::Error::other(format!("{digest} has other bytes")));
        }
        self.destination
            .answer()?
            .of_success("PUT", &target)
            .map(|_| ())
    }

    fn write_manifest(&mut self, manifest: &Manifest) -> io::Result<()> {
        let path = format!(
            "/v2/{}/manifests/{}",
            manifest.repository, manifest.reference
        );
        self.destination
            .ask("PUT", &path, &manifest.media_type, &manifest.bytes)
            .map(|_| ())
    }
}
