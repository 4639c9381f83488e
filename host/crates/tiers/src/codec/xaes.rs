//! XAES-256-GCM (<https://c2sp.org/XAES-256-GCM>): AES-256-GCM with nonces of 24 bytes, so many that they may
//! be drawn by chance, under a key derived from the first half of the nonce.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use zeroize::Zeroizing;

pub(super) const KEY_BYTES: usize = 32;
pub(super) const NONCE_BYTES: usize = 24;
pub(super) const TAG_BYTES: usize = 16;

const BLOCK_BYTES: usize = 16;

/// What is under a key, prepared. The cipher's parts wipe themselves when they go.
pub(super) struct Xaes {
    cipher: Aes256,
    /// The first subkey of CMAC: a block of zeros, encrypted and doubled in its field.
    subkey: Zeroizing<u128>,
}

/// What was to be opened is not what was sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Xaes {
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Self {
        let cipher = Aes256::new(key.into());
        let mut block = [0; BLOCK_BYTES].into();
        cipher.encrypt_block(&mut block);
        let zeros = u128::from_be_bytes(block.into());
        let reduction = if zeros >> 127 == 1 { 0x87 } else { 0 };
        Self {
            cipher,
            subkey: Zeroizing::new((zeros << 1) ^ reduction),
        }
    }

    /// Encrypts what is in `buffer`; the tag proves it and `associated`. [`Broken`] where it is longer than AES-GCM
    /// can take: 64 GiB.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Broken> {
        let (cipher, nonce) = self.derive(nonce);
        cipher
            .encrypt_inout_detached(&nonce.into(), associated, InOutBuf::from(buffer))
            .map(Into::into)
            .map_err(|_| Broken)
    }

    /// Decrypts what is in `buffer`, if the tag proves it.
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), Broken> {
        let (cipher, nonce) = self.derive(nonce);
        cipher
            .decrypt_inout_detached(
                &nonce.into(),
                associated,
                InOutBuf::from(buffer),
                tag.into(),
            )
            .map_err(|_| Broken)
    }

    /// The cipher for a nonce, and the half of the nonce that is its own.
    fn derive(&self, nonce: &[u8; NONCE_BYTES]) -> (Aes256Gcm, [u8; 12]) {
        let (first, own) = nonce.as_chunks::<12>().0.split_at(1);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (counter, half) in (1..).zip(key.as_chunks_mut::<BLOCK_BYTES>().0) {
            half[..4].copy_from_slice(&[0, counter, b'X', 0]);
            half[4..].copy_from_slice(&first[0]);
            *half = (u128::from_be_bytes(*half) ^ *self.subkey).to_be_bytes();
            self.cipher.encrypt_block(half.into());
        }
        (Aes256Gcm::new((&*key).into()), own[0])
    }
}

#[cfg(test)]
mod tests;
