//! Bytes of blobs, made while they are served: a gigabyte costs one block of memory.
//!
//! All generated blobs share one block of noise. Each repetition of it begins with a head of its own that holds the blob's seed
//! and the repetition's number, so that no two are alike and every blob has its own digest. The head begins as gzip does, because tools look
//! there whether a layer is compressed already.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use image_replicator::image::digest::Hasher;

/// The size of all pieces but the last.
const PIECE_BYTES: usize = 1 << 20;
/// The beginning of gzip (RFC 1952, section 2.3) without name and time, and six bytes that round it up.
const GZIP: [u8; 16] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0];
const HEAD_BYTES: usize = GZIP.len() + 16;

static NOISE: LazyLock<Bytes> = LazyLock::new(|| noise(PIECE_BYTES));

/// The content of a blob.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Held in memory, such as a configuration.
    Held(Bytes),
    /// Made when needed: the same seed and size always give the same bytes.
    Generated { seed: u64, size_bytes: u64 },
}

impl Content {
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Generated { size_bytes, .. } => *size_bytes,
        }
    }

    /// The digest, computed by making every byte once.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Hasher::new();
        self.pieces(0..self.size_bytes())
            .for_each(|piece| hasher.update(&piece));
        hasher.finish().into()
    }

    /// The bytes of `range` in order. No piece is copied: each is a view of the shared block, or a head of 32 bytes.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Pieces {
        Pieces {
            content: self.clone(),
            at: range.start,
            end: range.end.min(self.size_bytes()),
        }
    }
}

/// The bytes of a range of a blob.
#[derive(Debug)]
pub(crate) struct Pieces {
    content: Content,
    at: u64,
    end: u64,
}

impl Pieces {
    /// How many bytes are still to come.
    pub(crate) fn left_bytes(&self) -> u64 {
        self.end - self.at
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.at >= self.end {
            return None;
        }
        let mut piece = match &self.content {
            Content::Held(bytes) => bytes.slice(usize::try_from(self.at).ok()?..),
            Content::Generated { seed, .. } => generated(*seed, self.at),
        };
        piece.truncate(usize::try_from(self.left_bytes()).unwrap_or(usize::MAX));
        self.at += piece.len() as u64;
        Some(piece)
    }
}

/// What follows at the byte `at`: the rest of a head, or the rest of the block behind it.
fn generated(seed: u64, at: u64) -> Bytes {
    let number = at / PIECE_BYTES as u64;
    let within = usize::try_from(at % PIECE_BYTES as u64).expect("a piece is small");
    if within >= HEAD_BYTES {
        return NOISE.slice(within..);
    }
    let mut head = [0_u8; HEAD_BYTES];
    head[..16].copy_from_slice(&GZIP);
    head[16..24].copy_from_slice(&seed.to_le_bytes());
    head[24..].copy_from_slice(&number.to_le_bytes());
    Bytes::copy_from_slice(&head[within..])
}

/// `SplitMix64` (Steele, Lea and Flood 2014): the shortest generator whose output does not compress.
fn noise(size: usize) -> Bytes {
    let mut state = 0_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    });
    words.flatten().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 2_500_000;

    fn joined(content: &Content, range: Range<u64>) -> Vec<u8> {
        content.pieces(range).flatten().collect()
    }

    #[test]
    fn a_range_is_that_part_of_the_whole() {
        let content = Content::Generated {
            seed: 7,
            size_bytes: SIZE,
        };
        let whole = joined(&content, 0..SIZE);
        assert_eq!(whole.len(), 2_500_000);
        assert_eq!(
            joined(&content, 1_048_570..1_048_620),
            whole[1_048_570..1_048_620]
        );
        assert_eq!(joined(&content, 2_400_000..9_999_999), whole[2_400_000..]);
        let held = Content::Held(Bytes::from(whole));
        assert_eq!(held.digest(), content.digest());
        assert_eq!(joined(&held, 20..70), joined(&content, 20..70));
    }

    #[test]
    fn every_seed_and_every_repetition_has_its_own_bytes() {
        let of = |seed| Content::Generated {
            seed,
            size_bytes: SIZE,
        };
        assert_ne!(of(1).digest(), of(2).digest());
        let whole = joined(&of(1), 0..SIZE);
        assert_ne!(whole[..40], whole[1_048_576..1_048_616]);
        assert_eq!(whole[..3], [0x1f, 0x8b, 8]);
    }

    #[test]
    fn the_bytes_are_the_same_in_every_run() {
        let content = Content::Generated {
            seed: 1,
            size_bytes: SIZE,
        };
        assert_eq!(
            content.digest(),
            "sha256:fb430b16dffc5b3c7005e2d5c8358ceb6ff3a57d543710a76bc07dcdb5e0148c"
        );
    }
}
