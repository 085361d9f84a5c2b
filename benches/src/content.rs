//! Bytes of blobs, generated while they are served: a blob of 1 GB needs one block of memory.
//!
//! All generated blobs repeat one shared block of noise. Each repetition begins with a head that
//! contains the blob's seed and the repetition's number, so that every blob has its own digest. The
//! head begins with a gzip header, because tools use it to detect compressed layers.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use image_replicator::image::digest::Hasher;

/// The size of every piece except the last.
const PIECE_BYTES: usize = 1 << 20;
/// A gzip header (RFC 1952, section 2.3) without name and time, padded with six bytes.
const GZIP_HEADER: [u8; 16] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0];
const HEAD_BYTES: usize = GZIP_HEADER.len() + 16;

static NOISE: LazyLock<Bytes> = LazyLock::new(|| noise(PIECE_BYTES));

/// The content of a blob.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Held in memory, such as a configuration.
    InMemory(Bytes),
    /// Generated on demand: the same seed and size always give the same bytes.
    Generated { seed: u64, size_bytes: u64 },
}

impl Content {
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::InMemory(bytes) => bytes.len() as u64,
            Self::Generated { size_bytes, .. } => *size_bytes,
        }
    }

    /// The digest, computed over all bytes.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Hasher::new();
        for piece in self.pieces(0..self.size_bytes()) {
            hasher.update(&piece);
        }
        hasher.finish().into()
    }

    /// The bytes of `range` in order, without copies: each piece is a view of the shared block, or
    /// a head of 32 bytes.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Pieces {
        Pieces {
            content: self.clone(),
            offset: range.start,
            end: range.end.min(self.size_bytes()),
        }
    }
}

/// The bytes of a range of a blob.
#[derive(Debug)]
pub(crate) struct Pieces {
    content: Content,
    offset: u64,
    end: u64,
}

impl Pieces {
    /// The number of bytes that are left.
    pub(crate) fn left_bytes(&self) -> u64 {
        self.end - self.offset
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.offset >= self.end {
            return None;
        }
        let mut piece = match &self.content {
            Content::InMemory(bytes) => bytes.slice(usize::try_from(self.offset).ok()?..),
            Content::Generated { seed, .. } => generate(*seed, self.offset),
        };
        piece.truncate(usize::try_from(self.left_bytes()).unwrap_or(usize::MAX));
        self.offset += piece.len() as u64;
        Some(piece)
    }
}

/// The bytes from `offset` to the end of a head, or of the block of noise behind it.
fn generate(seed: u64, offset: u64) -> Bytes {
    let number = offset / PIECE_BYTES as u64;
    let within = usize::try_from(offset % PIECE_BYTES as u64).expect("a piece is small");
    if within >= HEAD_BYTES {
        return NOISE.slice(within..);
    }
    let mut head = [0_u8; HEAD_BYTES];
    head[..16].copy_from_slice(&GZIP_HEADER);
    head[16..24].copy_from_slice(&seed.to_le_bytes());
    head[24..].copy_from_slice(&number.to_le_bytes());
    Bytes::copy_from_slice(&head[within..])
}

/// Bytes of `SplitMix64` (Steele, Lea and Flood 2014), a short generator whose output does not
/// compress.
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

    fn read(content: &Content, range: Range<u64>) -> Vec<u8> {
        content.pieces(range).flatten().collect()
    }

    #[test]
    fn a_range_equals_the_same_part_of_the_whole() {
        let content = Content::Generated {
            seed: 7,
            size_bytes: SIZE,
        };
        let whole = read(&content, 0..SIZE);
        assert_eq!(whole.len(), 2_500_000);
        assert_eq!(
            read(&content, 1_048_570..1_048_620),
            whole[1_048_570..1_048_620]
        );
        assert_eq!(read(&content, 2_400_000..9_999_999), whole[2_400_000..]);
        let held = Content::InMemory(Bytes::from(whole));
        assert_eq!(held.digest(), content.digest());
        assert_eq!(read(&held, 20..70), read(&content, 20..70));
    }

    #[test]
    fn every_seed_and_every_repetition_has_its_own_bytes() {
        let content = |seed| Content::Generated {
            seed,
            size_bytes: SIZE,
        };
        assert_ne!(content(1).digest(), content(2).digest());
        let whole = read(&content(1), 0..SIZE);
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
