//! The proxy: two threads for each direction of a connection, one that takes bytes as fast as the network would, and one that
//! hands them on when they would have arrived. Threads, because they wake up within a tenth of a millisecond, and a runtime's timer within one.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::window::Window;
use crate::output;

/// What is passed on at once: a fraction of a millisecond of the line.
const CHUNK_BYTES: usize = 32 * 1024;
/// Chunks between the two threads; more than a window, so that it only stops a receiver that does not read.
const CHUNKS: usize = 256;

/// How the proxy is started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The servers behind it
    #[arg(long, value_delimiter = ',')]
    pub(crate) to: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) distance: Distance,
}

/// What the network is like.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
pub(crate) struct Distance {
    /// Milliseconds that a request and its answer are under way
    #[arg(long, default_value_t = 20)]
    pub(crate) round_trip_ms: u64,
    /// Bytes a second of the client's machine, in each direction
    #[arg(long, default_value_t = 78_000_000)]
    pub(crate) bytes_per_second: u64,
}

/// Both directions of the client's line.
struct Line {
    distance: Distance,
    up: Mutex<Link>,
    down: Mutex<Link>,
}

/// Bytes, and when they arrive. None are the end.
type Parcel = (Instant, Vec<u8>);

/// Serves until the standard input ends. Prints the addresses that stand for the servers, in their order.
pub(crate) fn run(options: Options) -> Result<(), String> {
    let idle = || Mutex::new(Link::new(options.distance.bytes_per_second, Instant::now()));
    let line = Arc::new(Line {
        distance: options.distance,
        up: idle(),
        down: idle(),
    });
    let mut addresses = Vec::new();
    for server in options.to {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        addresses.push(listener.local_addr().map_err(|error| error.to_string())?);
        let line = Arc::clone(&line);
        thread::spawn(move || accept(&listener, server, &line));
    }
    output::line(serde_json::to_string(&addresses).expect("addresses are JSON"));
    let _ = io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}

fn accept(listener: &TcpListener, server: SocketAddr, line: &Arc<Line>) {
    for client in listener.incoming().flatten() {
        // A server that is gone, or a client: the connection ends, which is what the other side would see.
        if let Ok(server) = TcpStream::connect(server) {
            let _ = join(client, server, line);
        }
    }
}

fn join(client: TcpStream, server: TcpStream, line: &Arc<Line>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    carry(from, to, Arc::clone(line), Direction::Up);
    carry(server, client, Arc::clone(line), Direction::Down);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// One direction of a connection.
struct Track {
    line: Arc<Line>,
    direction: Direction,
    /// Bytes that have not arrived; changed only while the link is locked.
    under_way: AtomicU64,
}

fn carry(from: TcpStream, to: TcpStream, line: Arc<Line>, direction: Direction) {
    let (sender, receiver) = sync_channel(CHUNKS);
    let track = Arc::new(Track {
        line,
        direction,
        under_way: AtomicU64::new(0),
    });
    let here = Arc::clone(&track);
    thread::spawn(move || here.take(from, &sender));
    thread::spawn(move || track.hand_on(to, &receiver));
}

impl Track {
    /// Takes bytes when the window lets them go, and reckons when they arrive.
    fn take(&self, mut from: TcpStream, sender: &SyncSender<Parcel>) {
        let (round_trip, mut window) = (self.round_trip(), Window::default());
        let opens_at = Instant::now() + round_trip;
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let room = self.wait_for_room(&mut window);
            // A connection that broke ends, as one that was closed.
            let read = from.read(&mut buffer[..room]).unwrap_or(0);
            if self.direction == Direction::Up {
                // Nothing leaves before the handshake is over.
                thread::sleep(opens_at.saturating_duration_since(Instant::now()));
            }
            let arrival = self.depart(read as u64) + round_trip / 2;
            window.sent(read as u64, arrival + round_trip / 2);
            if sender.send((arrival, buffer[..read].to_vec())).is_err() || read == 0 {
                return;
            }
        }
    }

    /// Hands bytes on when they arrive.
    fn hand_on(&self, mut to: TcpStream, receiver: &Receiver<Parcel>) {
        for (arrival, bytes) in receiver {
            thread::sleep(arrival.saturating_duration_since(Instant::now()));
            let is_gone = bytes.is_empty() || to.write_all(&bytes).is_err();
            self.arrive(bytes.len() as u64);
            if is_gone {
                let which = if bytes.is_empty() {
                    Shutdown::Write
                } else {
                    Shutdown::Both
                };
                let _ = to.shutdown(which);
                return;
            }
        }
    }

    fn wait_for_room(&self, window: &mut Window) -> usize {
        loop {
            let share = self.link().share_bytes(self.round_trip());
            let now = Instant::now();
            let room = usize::try_from(window.room_bytes(now, share))
                .unwrap_or(CHUNK_BYTES)
                .min(CHUNK_BYTES);
            match window.opens_at() {
                Some(opens) if room == 0 => thread::sleep(opens.saturating_duration_since(now)),
                _ => return room.max(1),
            }
        }
    }

    /// Puts `bytes` on the line, and says when the last of them has left.
    fn depart(&self, bytes: u64) -> Instant {
        let mut link = self.link();
        let before = self.under_way.fetch_add(bytes, Ordering::Relaxed);
        link.note(before, before + bytes);
        link.departure(Instant::now(), bytes)
    }

    fn arrive(&self, bytes: u64) {
        let mut link = self.link();
        let before = self.under_way.fetch_sub(bytes, Ordering::Relaxed);
        link.note(before, before - bytes);
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        let link = match self.direction {
            Direction::Up => &self.line.up,
            Direction::Down => &self.line.down,
        };
        link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn round_trip(&self) -> Duration {
        Duration::from_millis(self.line.distance.round_trip_ms)
    }
}
