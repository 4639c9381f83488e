//! Compresses and unpacks.

use std::borrow::Cow;

use lz4_flex::block;
use zstd::zstd_safe::{CCtx, DCtx};

use super::dictionary::Dictionary;
use super::pool::Pool;
use super::samples::SAMPLE_BYTES_MAX;

/// How zstd begins a frame that it makes of so many bytes with a dictionary: magic number, a descriptor, the length.
/// All of it follows, so records leave it out: six or seven bytes of what may be a hundred.
fn frame_head(content_bytes: usize) -> Vec<u8> {
    let mut head = 0xfd2f_b528_u32.to_le_bytes().to_vec();
    match u8::try_from(content_bytes) {
        Ok(bytes) => head.extend_from_slice(&[0x20, bytes]),
        Err(_) => {
            head.push(0x60);
            head.extend_from_slice(&((content_bytes - 256) as u16).to_le_bytes());
        }
    }
    head
}

/// How to compress.
#[derive(Clone, Copy)]
pub(super) enum Method<'a> {
    /// With zstd, at a level.
    Zstd(i32),
    /// With zstd and a dictionary.
    Dictionary(&'a Dictionary),
    /// With LZ4.
    Lz4,
}

/// How what was compressed is unpacked.
#[derive(Clone, Copy)]
pub(super) enum Packed<'a> {
    Plain,
    Zstd,
    Dictionary(&'a Dictionary),
    Lz4,
}

#[derive(Default)]
pub(super) struct Packer {
    packs: Pool<CCtx<'static>>,
    unpacks: Pool<DCtx<'static>>,
}

impl Packer {
    /// Appends `content`, compressed, where that takes `bytes_max` at most; else leaves `out` as it is. Whether it did.
    pub(super) fn pack(
        &self,
        method: Method<'_>,
        content: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> bool {
        let start = out.len();
        let packed_bytes = match method {
            Method::Zstd(level) => {
                out.resize(start + bytes_max, 0);
                self.packs
                    .with(|context| context.compress(&mut out[start..], content, level).ok())
            }
            Method::Dictionary(dictionary) => {
                let head = frame_head(content.len());
                out.resize(start + head.len() + bytes_max, 0);
                let frame = &mut out[start..];
                let frame_bytes = dictionary.packs().and_then(|prepared| {
                    let pack = |context: &mut CCtx<'_>| {
                        context.compress_using_cdict(frame, content, prepared).ok()
                    };
                    self.packs.with(pack)
                });
                let rest = frame_bytes.filter(|_| out[start..].starts_with(&head));
                rest.map(|frame_bytes| {
                    out.copy_within(start + head.len()..start + frame_bytes, start);
                    frame_bytes - head.len()
                })
            }
            Method::Lz4 => {
                out.resize(start + block::get_maximum_output_size(content.len()), 0);
                let packed = block::compress_into(content, &mut out[start..]);
                packed.ok().filter(|bytes| *bytes <= bytes_max)
            }
        };
        out.truncate(start + packed_bytes.unwrap_or(0));
        packed_bytes.is_some()
    }

    /// What was compressed, if it has exactly so many bytes.
    pub(super) fn unpack(
        &self,
        how: Packed<'_>,
        packed: Cow<'_, [u8]>,
        bytes: usize,
    ) -> Option<Vec<u8>> {
        let content = match how {
            Packed::Plain => (packed.len() == bytes).then(|| packed.into_owned())?,
            Packed::Zstd => {
                let mut content = Vec::with_capacity(bytes);
                self.unpacks
                    .with(|context| context.decompress(&mut content, &packed).ok())?;
                content
            }
            Packed::Dictionary(_) if bytes > SAMPLE_BYTES_MAX => return None,
            Packed::Dictionary(dictionary) => {
                let frame = [&frame_head(bytes), &*packed].concat();
                let mut content = Vec::with_capacity(bytes);
                let unpack = |context: &mut DCtx<'_>| {
                    let prepared = dictionary.unpacks();
                    let unpacked = context.decompress_using_ddict(&mut content, &frame, prepared);
                    unpacked.ok()
                };
                self.unpacks.with(unpack)?;
                content
            }
            Packed::Lz4 => {
                let mut content = vec![0; bytes];
                let unpacked = block::decompress_into(&packed, &mut content).ok()?;
                content.truncate(unpacked);
                content
            }
        };
        (content.len() == bytes).then_some(content)
    }
}
