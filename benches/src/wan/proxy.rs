//! The proxy. Each direction of a connection has two threads: one reads bytes as fast as the
//! simulated network would, the other delivers them when they would have arrived.
//!
//! It uses threads because a sleeping thread resumes within a tenth of a millisecond; the timer of
//! an async runtime has a resolution of one millisecond.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::window::Window;
use crate::lock::lock;
use crate::output;

/// The size of one read: a fraction of a millisecond of the line.
const CHUNK_BYTES: usize = 32 * 1024;
/// Chunks that the channel between the two threads holds. It is more than a window, so that the
/// channel is full only if the receiver stops reading.
const CHANNEL_CHUNKS: usize = 256;

/// Options of the proxy.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Addresses of the servers behind the proxy
    #[arg(long, value_delimiter = ',')]
    pub(crate) to: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) distance: Distance,
}

/// The properties of the simulated network.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
pub(crate) struct Distance {
    /// Round trip time in milliseconds
    #[arg(long, default_value_t = 20)]
    pub(crate) round_trip_ms: u64,
    /// Bytes per second of the client's line, in each direction
    #[arg(long, default_value_t = 78_000_000)]
    pub(crate) bytes_per_second: u64,
}

/// Both directions of the client's line.
struct ClientLine {
    distance: Distance,
    up: Mutex<Link>,
    down: Mutex<Link>,
}

/// A chunk, and when it arrives. No bytes mean the end of the stream.
struct Chunk {
    arrival: Instant,
    bytes: Vec<u8>,
}

/// Runs until the standard input ends. Prints the proxy's address for each server, in order.
pub(crate) fn run(options: Options) -> Result<(), String> {
    let idle_link = || Mutex::new(Link::new(options.distance.bytes_per_second, Instant::now()));
    let line = Arc::new(ClientLine {
        distance: options.distance,
        up: idle_link(),
        down: idle_link(),
    });
    let mut addresses = Vec::new();
    for server in options.to {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        addresses.push(listener.local_addr().map_err(|error| error.to_string())?);
        let line = Arc::clone(&line);
        thread::spawn(move || accept(&listener, server, &line));
    }
    output::stdout_line(serde_json::to_string(&addresses).expect("addresses are JSON"));
    let _ = io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}

fn accept(listener: &TcpListener, server: SocketAddr, line: &Arc<ClientLine>) {
    for client in listener.incoming().flatten() {
        // If either side has gone, the connection ends, as it would without a proxy.
        if let Ok(server) = TcpStream::connect(server) {
            let _ = connect(client, server, line);
        }
    }
}

fn connect(client: TcpStream, server: TcpStream, line: &Arc<ClientLine>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let upload_from = client.try_clone()?;
    let upload_to = server.try_clone()?;
    forward(upload_from, upload_to, Arc::clone(line), Direction::Up);
    forward(server, client, Arc::clone(line), Direction::Down);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// One direction of a connection.
struct Flow {
    line: Arc<ClientLine>,
    direction: Direction,
    /// Bytes that have not arrived yet. Changed only while the link is locked.
    in_flight_bytes: AtomicU64,
}

fn forward(from: TcpStream, to: TcpStream, line: Arc<ClientLine>, direction: Direction) {
    let (sender, receiver) = sync_channel(CHANNEL_CHUNKS);
    let flow = Arc::new(Flow {
        line,
        direction,
        in_flight_bytes: AtomicU64::new(0),
    });
    let reading = Arc::clone(&flow);
    thread::spawn(move || reading.read(from, &sender));
    thread::spawn(move || flow.deliver(to, &receiver));
}

impl Flow {
    /// Reads bytes when the window allows, and computes when they arrive.
    fn read(&self, mut from: TcpStream, sender: &SyncSender<Chunk>) {
        let (round_trip, mut window) = (self.round_trip(), Window::default());
        let opens_at = Instant::now() + round_trip;
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let room = self.wait_for_room(&mut window);
            // A read error ends the stream, like a close.
            let read = from.read(&mut buffer[..room]).unwrap_or(0);
            if self.direction == Direction::Up {
                // No bytes leave before the handshake is complete.
                thread::sleep(opens_at.saturating_duration_since(Instant::now()));
            }
            let arrival = self.depart(read as u64) + round_trip / 2;
            window.record_sent(read as u64, arrival + round_trip / 2);
            let bytes = buffer[..read].to_vec();
            if sender.send(Chunk { arrival, bytes }).is_err() || read == 0 {
                return;
            }
        }
    }

    /// Delivers each chunk when it arrives.
    fn deliver(&self, mut to: TcpStream, receiver: &Receiver<Chunk>) {
        for Chunk { arrival, bytes } in receiver {
            thread::sleep(arrival.saturating_duration_since(Instant::now()));
            let written = to.write_all(&bytes);
            self.arrive(bytes.len() as u64);
            if written.is_err() {
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            if bytes.is_empty() {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    /// Waits until the window is open; returns how many bytes may be read.
    fn wait_for_room(&self, window: &mut Window) -> usize {
        loop {
            let share = self.link().share_bytes(self.round_trip());
            let now = Instant::now();
            let room_bytes = window.room_bytes(now, share);
            let room =
                usize::try_from(room_bytes).map_or(CHUNK_BYTES, |room| room.min(CHUNK_BYTES));
            match window.opens_at() {
                Some(opens) if room == 0 => thread::sleep(opens.saturating_duration_since(now)),
                _ => return room.max(1),
            }
        }
    }

    /// Puts `bytes` on the line; returns when the last of them has left.
    fn depart(&self, bytes: u64) -> Instant {
        let mut link = self.link();
        let before = self.in_flight_bytes.fetch_add(bytes, Ordering::Relaxed);
        link.record_in_flight(before, before + bytes);
        link.enqueue(Instant::now(), bytes)
    }

    /// Records that `bytes` have arrived.
    fn arrive(&self, bytes: u64) {
        let mut link = self.link();
        let before = self.in_flight_bytes.fetch_sub(bytes, Ordering::Relaxed);
        link.record_in_flight(before, before - bytes);
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        match self.direction {
            Direction::Up => lock(&self.line.up),
            Direction::Down => lock(&self.line.down),
        }
    }

    fn round_trip(&self) -> Duration {
        Duration::from_millis(self.line.distance.round_trip_ms)
    }
}
