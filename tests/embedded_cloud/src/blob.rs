//! Blobs: small ones in memory, large ones generated while they are streamed.
//!
//! A generated blob needs no memory, whatever its size: each chunk is derived from the seed and its
//! number.

use std::ops::Range;

use bytes::Bytes;

use crate::digest::Hasher;

/// The size of every chunk but the last.
const CHUNK_BYTES: usize = 64 * 1024;

/// The content of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// Held in memory.
    Bytes(Bytes),
    /// Generated on demand: the same seed and size always give the same bytes.
    Generated {
        /// The seed of the bytes.
        seed: u64,
        /// The length in bytes.
        size: u64,
    },
}

impl Blob {
    /// The length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Generated { size, .. } => *size,
        }
    }

    /// The digest. Computing it generates every byte once.
    pub fn digest(&self) -> String {
        let mut hasher = Hasher::new();
        self.chunks(0..self.size())
            .for_each(|chunk| hasher.update(&chunk));
        hasher.finish()
    }

    /// The bytes of `range` in order, in chunks.
    pub fn chunks(&self, range: Range<u64>) -> Box<dyn Iterator<Item = Bytes> + Send> {
        let whole: Box<dyn Fn(u64) -> Bytes + Send> = match self {
            Self::Bytes(bytes) => slices(bytes.clone()),
            Self::Generated { seed, size } => generated(*seed, *size),
        };
        let first = range.start / CHUNK_BYTES as u64;
        let end = range.end.div_ceil(CHUNK_BYTES as u64);
        Box::new(
            (first..end)
                .map(move |number| cut_to(&range, number, &whole(number)))
                .filter(|chunk| !chunk.is_empty()),
        )
    }
}

/// `size` pseudo-random bytes derived from `seed`, in memory.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| split_mix(&mut state).to_le_bytes());
    words.flatten().take(size).collect()
}

fn slices(bytes: Bytes) -> Box<dyn Fn(u64) -> Bytes + Send> {
    Box::new(move |number| {
        let start = offset(number).min(bytes.len());
        bytes.slice(start..(start + CHUNK_BYTES).min(bytes.len()))
    })
}

/// Chunks of one block of noise that begin with their number: cheap to generate, and all different.
fn generated(seed: u64, size: u64) -> Box<dyn Fn(u64) -> Bytes + Send> {
    let block = noise(seed, CHUNK_BYTES);
    Box::new(move |number| {
        let mut chunk = block.clone();
        chunk[..8].copy_from_slice(&(seed ^ number).to_le_bytes());
        let left = size.saturating_sub(number * CHUNK_BYTES as u64);
        chunk.truncate(usize::try_from(left).unwrap_or(CHUNK_BYTES));
        Bytes::from(chunk)
    })
}

/// The part of chunk `number` that lies in `range`.
fn cut_to(range: &Range<u64>, number: u64, chunk: &Bytes) -> Bytes {
    let base = number * CHUNK_BYTES as u64;
    let within = |position: u64| {
        usize::try_from(position.saturating_sub(base))
            .unwrap_or(usize::MAX)
            .min(chunk.len())
    };
    chunk.slice(within(range.start)..within(range.end))
}

fn offset(number: u64) -> usize {
    usize::try_from(number).map_or(usize::MAX, |number| number.saturating_mul(CHUNK_BYTES))
}

/// `SplitMix64` (Steele, Lea and Flood 2014): the shortest generator whose output does not
/// compress.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(blob: &Blob, range: Range<u64>) -> Vec<u8> {
        blob.chunks(range).flatten().collect()
    }

    #[test]
    fn a_range_of_a_generated_blob_is_that_part_of_the_whole() {
        let blob = Blob::Generated {
            seed: 7,
            size: 200_000,
        };
        let whole = joined(&blob, 0..200_000);
        assert_eq!(whole.len(), 200_000);
        assert_eq!(joined(&blob, 65_530..131_080), whole[65_530..131_080]);
    }

    #[test]
    fn bytes_in_memory_and_generated_bytes_are_cut_alike() {
        let blob = Blob::Generated {
            seed: 7,
            size: 70_000,
        };
        let copy = Blob::Bytes(joined(&blob, 0..70_000).into());
        assert_eq!(copy.digest(), blob.digest());
        assert_eq!(joined(&copy, 65_000..66_000), joined(&blob, 65_000..66_000));
    }
}
