//! Measures a network before the comparison: if a network is not what it should be, all results on
//! it are wrong.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::http::Connection;
use crate::registry::CHECK_REPOSITORY;
use crate::statistics::median;
use crate::wan::Distance;
use crate::world::World;

/// Requests whose median is the round trip time.
const REQUESTS: usize = 21;
/// Bytes per read and write.
const BUFFER_BYTES: usize = 256 * 1024;
/// Sizes of the two uploads whose difference gives the rate.
const SMALL_UPLOAD_BYTES: u64 = 32 << 20;
const LARGE_UPLOAD_BYTES: u64 = 128 << 20;
/// The largest relative difference between a simulated line and its options.
const TOLERANCE: f64 = 0.1;

/// What was measured of a network.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct NetworkProperties {
    /// A small request and its response on an open connection.
    pub(crate) round_trip_ms: f64,
    /// The same on a new connection.
    pub(crate) first_round_trip_ms: f64,
    /// The rate of one download after its first quarter, in megabytes per second.
    pub(crate) down_mb_per_second: f64,
    /// The rate of one upload at full speed, in megabytes per second.
    pub(crate) up_mb_per_second: f64,
}

/// Measures the network of `world`.
pub(crate) fn measure_network(world: &World) -> Result<NetworkProperties, String> {
    measure(world).map_err(|error| format!("cannot measure the network: {error}"))
}

fn measure(world: &World) -> Result<NetworkProperties, String> {
    let mut first_round_trips = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let start = Instant::now();
        ping(&mut world.connect(&world.source)?)?;
        first_round_trips.push(milliseconds(start.elapsed()));
    }

    let mut connection = world.connect(&world.source)?;
    ping(&mut connection)?;
    let mut round_trips = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let start = Instant::now();
        ping(&mut connection)?;
        round_trips.push(milliseconds(start.elapsed()));
    }
    Ok(NetworkProperties {
        round_trip_ms: median(&round_trips),
        first_round_trip_ms: median(&first_round_trips),
        down_mb_per_second: download(world)?,
        up_mb_per_second: upload(world)?,
    })
}

impl NetworkProperties {
    /// Describes how this differs from `distance` by more than the tolerance, if it does.
    pub(crate) fn problem(&self, distance: Distance) -> Option<String> {
        #[expect(clippy::cast_precision_loss, reason = "round trips are short")]
        let expected_ms = distance.round_trip_ms as f64;
        #[expect(clippy::cast_precision_loss, reason = "shown in whole megabytes")]
        let expected_rate = distance.bytes_per_second as f64 / 1e6;
        let is_off =
            |measured: f64, expected: f64| (measured - expected).abs() > TOLERANCE * expected;
        let has_problem = is_off(self.round_trip_ms, expected_ms)
            || is_off(self.down_mb_per_second, expected_rate)
            || is_off(self.up_mb_per_second, expected_rate);
        has_problem.then(|| {
            format!(
                "the line should have {expected_ms} ms and {expected_rate} MB/s, \
                 but has {self}; check the load of this machine"
            )
        })
    }
}

impl fmt::Display for NetworkProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "round trip {:.2} ms, on a new connection {:.2} ms; ",
            self.round_trip_ms, self.first_round_trip_ms
        )?;
        write!(
            f,
            "one download {:.0} MB/s, one upload {:.0} MB/s",
            self.down_mb_per_second, self.up_mb_per_second
        )
    }
}

fn ping(connection: &mut Connection) -> Result<(), String> {
    let response = connection.request("GET", "/v2/", "text/plain", &[]);
    response.map_err(|error| error.to_string())?;
    Ok(())
}

/// Measures the rate of a download without its first quarter, in which the window grows.
fn download(world: &World) -> Result<f64, String> {
    let content = world.source.content()?;
    let (digest, &size_bytes) = content
        .get(CHECK_REPOSITORY)
        .and_then(|repository| repository.blobs.first_key_value())
        .ok_or("the source has no blob for the measurement")?;
    let path = format!("/v2/{CHECK_REPOSITORY}/blobs/{digest}");
    let mut connection = world.connect(&world.source)?;
    let measured = measure_download(&mut connection, &path, size_bytes);
    measured.map_err(|error| error.to_string())
}

fn measure_download(connection: &mut Connection, path: &str, size_bytes: u64) -> io::Result<f64> {
    connection.send("GET", path, "text/plain", 0)?;
    connection.read_head()?.check_success("GET", path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left_bytes = size_bytes;
    while left_bytes > size_bytes * 3 / 4 {
        left_bytes -= connection.read_body(&mut buffer)? as u64;
    }
    let start = Instant::now();
    let measured_bytes = left_bytes;
    while left_bytes > 0 {
        left_bytes -= connection.read_body(&mut buffer)? as u64;
    }
    Ok(mb_per_second(measured_bytes, start.elapsed()))
}

/// Measures the rate of an upload at full speed, from the durations of a small and a large one.
fn upload(world: &World) -> Result<f64, String> {
    let mut connection = world.connect(&world.destination)?;
    let measured = measure_upload(&mut connection);
    measured.map_err(|error| error.to_string())
}

fn measure_upload(connection: &mut Connection) -> io::Result<f64> {
    // The first upload opens the window.
    time_upload(connection, SMALL_UPLOAD_BYTES)?;
    let short = time_upload(connection, SMALL_UPLOAD_BYTES)?;
    let long = time_upload(connection, LARGE_UPLOAD_BYTES)?;
    let difference_bytes = LARGE_UPLOAD_BYTES - SMALL_UPLOAD_BYTES;
    Ok(mb_per_second(difference_bytes, long.saturating_sub(short)))
}

fn time_upload(connection: &mut Connection, size_bytes: u64) -> io::Result<Duration> {
    let start = Instant::now();
    // The digest is not known to the registry, which therefore neither checks nor keeps the bytes.
    let path = format!(
        "/v2/{CHECK_REPOSITORY}/blobs/uploads/?digest=sha256:{:064}",
        0
    );
    connection.send("POST", &path, "application/octet-stream", size_bytes)?;
    let buffer = vec![0; BUFFER_BYTES];
    for _ in 0..size_bytes / BUFFER_BYTES as u64 {
        connection.write_all(&buffer)?;
    }
    connection.read_head()?.check_success("POST", &path)?;
    Ok(start.elapsed())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "shown in whole megabytes")]
fn mb_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}
