//! Layers that a container engine can unpack: a tar archive with one file, in gzip without
//! compression.
//!
//! Stored blocks make the size exact. An extra field in the gzip header fills the rest, because tar
//! grows in steps of 512 bytes.

use crate::{blob, digest};

const TAR_RECORD: usize = 512;
const GZIP_HEADER: usize = 12;
const GZIP_TRAILER: usize = 8;
/// The capacity of a stored block of DEFLATE (RFC 1951, section 3.2.4), and the size of its header.
const BLOCK: usize = 65_535;
const BLOCK_HEADER: usize = 5;

/// A layer, and the digest of its tar archive: the `diff_id` of the image configuration.
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    pub(super) diff_id: String,
}

/// A gzipped tar archive of exactly `size` bytes; `None` if the size is too small for a file.
pub(super) fn archive(seed: u64, size: usize) -> Option<Archive> {
    let records = (1..=size / TAR_RECORD)
        .rev()
        .find(|records| gzip_size(records * TAR_RECORD) <= size)?;
    let content = (records * TAR_RECORD)
        .checked_sub(3 * TAR_RECORD)
        .filter(|content| *content > 0)?;
    let tar = tar(&format!("layer-{seed:016x}"), &blob::noise(seed, content));
    let bytes = gzip(&tar, size - gzip_size(tar.len()));
    Some(Archive {
        bytes,
        diff_id: digest::of(&tar),
    })
}

fn gzip_size(tar: usize) -> usize {
    GZIP_HEADER + tar + tar.div_ceil(BLOCK) * BLOCK_HEADER + GZIP_TRAILER
}

/// One regular file (POSIX ustar), then the two empty records that end an archive.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; TAR_RECORD];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let checksum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    [&header, content, &[0; 2 * TAR_RECORD]].concat()
}

/// gzip (RFC 1952) with stored blocks and `padding` bytes in the extra field.
fn gzip(tar: &[u8], padding: usize) -> Vec<u8> {
    let extra =
        u16::try_from(padding).expect("padding is less than one record and its block header");
    let mut bytes = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
    bytes.extend(extra.to_le_bytes());
    bytes.resize(bytes.len() + padding, 0);
    let last = tar.len().div_ceil(BLOCK) - 1;
    for (number, block) in tar.chunks(BLOCK).enumerate() {
        let length = u16::try_from(block.len()).expect("a block has at most 65,535 bytes");
        bytes.push(u8::from(number == last));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(block);
    }
    bytes.extend(crc32(tar).to_le_bytes());
    bytes.extend(
        u32::try_from(tar.len())
            .expect("archives are small")
            .to_le_bytes(),
    );
    bytes
}

/// CRC-32 as gzip uses it (RFC 1952, section 8).
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|index| {
        let entry = u32::try_from(index).expect("below 256");
        (0..8).fold(entry, |entry, _| {
            if entry & 1 == 1 {
                0xedb8_8320 ^ (entry >> 1)
            } else {
                entry >> 1
            }
        })
    });
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_exactly_the_size_that_was_asked_for() {
        for size in [2_100, 3_000, 70_001, 300_000] {
            assert_eq!(
                archive(1, size).map(|archive| archive.bytes.len()),
                Some(size)
            );
        }
        assert!(archive(1, 2_000).is_none());
    }

    #[test]
    fn the_checksum_is_the_one_of_the_standard_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
