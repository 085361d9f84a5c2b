//! What a network is really like, measured before anything else is: a number that is wrong here makes all others wrong.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::http::Connection;
use crate::registry::CHECK;
use crate::statistics::median;
use crate::wan::Distance;
use crate::world::World;

/// Requests whose median is the round trip.
const REQUESTS: usize = 21;
/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// How far a line may be from what it should be.
const TOLERANCE: f64 = 0.1;

/// A network as it was found.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Found {
    /// A small request and its answer, on a connection that is open.
    pub(crate) round_trip_ms: f64,
    /// The same on a new connection.
    pub(crate) first_round_trip_ms: f64,
    /// Megabytes a second of one download, after its first quarter.
    pub(crate) down_mb_per_second: f64,
    /// Megabytes a second of one upload, likewise.
    pub(crate) up_mb_per_second: f64,
}

impl Found {
    /// Measures the network of `world`.
    pub(crate) fn measure(world: &World) -> Result<Self, String> {
        let mut first = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let began = Instant::now();
            ping(&mut world.connect(&world.source)?)?;
            first.push(milliseconds(began.elapsed()));
        }
        let mut connection = world.connect(&world.source)?;
        let mut warm = Vec::with_capacity(REQUESTS);
        for _ in 0..=REQUESTS {
            let began = Instant::now();
            ping(&mut connection)?;
            warm.push(milliseconds(began.elapsed()));
        }
        warm.remove(0);
        Ok(Self {
            round_trip_ms: median(&warm),
            first_round_trip_ms: median(&first),
            down_mb_per_second: download(world)
                .map_err(|error| format!("cannot measure the network: {error}"))?,
            up_mb_per_second: upload(world)
                .map_err(|error| format!("cannot measure the network: {error}"))?,
        })
    }

    /// What is wrong with a network that should be like `distance`.
    pub(crate) fn problem(&self, distance: Distance) -> Option<String> {
        #[expect(clippy::cast_precision_loss, reason = "rates and times are small")]
        let (wanted_ms, wanted_rate) = (
            distance.round_trip_ms as f64,
            distance.bytes_per_second as f64 / 1e6,
        );
        let is_off = |found: f64, wanted: f64| (found - wanted).abs() > TOLERANCE * wanted;
        let wrong = is_off(self.round_trip_ms, wanted_ms)
            || is_off(self.down_mb_per_second, wanted_rate)
            || is_off(self.up_mb_per_second, wanted_rate);
        wrong.then(|| {
            format!("the line should have {wanted_ms} ms and {wanted_rate} MB/s, and has {self}: is the machine busy?")
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            round_trip_ms,
            first_round_trip_ms,
            down_mb_per_second,
            up_mb_per_second,
        } = self;
        write!(
            f,
            "round trip {round_trip_ms:.2} ms, on a new connection {first_round_trip_ms:.2} ms; "
        )?;
        write!(
            f,
            "one download {down_mb_per_second:.0} MB/s, one upload {up_mb_per_second:.0} MB/s"
        )
    }
}

fn ping(connection: &mut Connection) -> Result<(), String> {
    connection
        .ask("GET", "/v2/", "text/plain", &[])
        .map(|_| ())
        .map_err(|error| format!("cannot measure the network: {error}"))
}

/// The rate of a download from its first quarter on, when the connection is at full speed.
fn download(world: &World) -> Result<f64, String> {
    let known_content = world.source.known_content()?;
    let check = known_content
        .get(CHECK)
        .and_then(|held| held.blobs.first_key_value());
    let (digest, &size_bytes) = check.ok_or("the source has nothing to measure with")?;
    let path = format!("/v2/{CHECK}/blobs/{digest}");
    let mut connection = world.connect(&world.source)?;
    let read = |connection: &mut Connection| -> std::io::Result<f64> {
        connection.send("GET", &path, "text/plain", 0)?;
        connection.answer()?.of_success("GET", &path)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let (mut left, mut at_full_speed) = (size_bytes, None);
        while left > 0 {
            left -= connection.read_body(&mut buffer)? as u64;
            if at_full_speed.is_none() && left <= size_bytes * 3 / 4 {
                at_full_speed = Some((Instant::now(), left));
            }
        }
        let (since, rest) = at_full_speed.expect("there was a last quarter");
        Ok(rate(rest, since.elapsed()))
    };
    read(&mut connection).map_err(|error| error.to_string())
}

/// The rate of an upload at full speed: what a large one takes longer than a small one.
fn upload(world: &World) -> Result<f64, String> {
    let mut connection = world.connect(&world.destination)?;
    let (small, large) = (32 << 20, 128 << 20);
    let mut send = |size_bytes: u64| -> std::io::Result<Duration> {
        let began = Instant::now();
        // No digest that anybody knows: the bytes are thrown away, and nobody asks what they were.
        let path = format!("/v2/{CHECK}/blobs/uploads/?digest=sha256:{:064}", 0);
        connection.send("POST", &path, "application/octet-stream", size_bytes)?;
        let buffer = vec![0; BUFFER_BYTES];
        for _ in 0..size_bytes / BUFFER_BYTES as u64 {
            connection.write_all(&buffer)?;
        }
        connection.answer()?.of_success("POST", &path)?;
        Ok(began.elapsed())
    };
    // The first fills the window.
    let times = send(small).and_then(|_| Ok((send(small)?, send(large)?)));
    let (short, long) = times.map_err(|error| error.to_string())?;
    Ok(rate(large - small, long.saturating_sub(short)))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Megabytes a second.
fn rate(bytes: u64, time: Duration) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is shown in whole megabytes"
    )]
    let bytes = bytes as f64;
    bytes / 1e6 / time.as_secs_f64()
}
