//! Seals and opens, with a key a tenant derived from those of the ring.

use std::collections::HashMap;
use std::sync::Arc;

use hkdf::Hkdf;
use larder_engine::tier::TierKey;
use parking_lot::RwLock;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::dictionary::Dictionary;
use super::record::Written;
use super::xaes::{Broken, KEY_BYTES, NONCE_BYTES, Xaes};
use super::{Damage, KeyEntry, KeyId, KeyRing, Refusal};

/// Begins what a tenant's key is derived from, apart from all else that a ring's key may serve for.
const PURPOSE: &[u8] = b"larder record 1\0";
/// Tenants whose derived keys are kept for each key of the ring; beyond that all are derived anew.
const TENANTS_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Sealer(RwLock<State>);

#[derive(Default)]
struct State {
    ring: Option<KeyRing>,
    ciphers: HashMap<KeyId, HashMap<Box<str>, Arc<Xaes>>>,
}

impl Sealer {
    pub(super) fn new(ring: Option<KeyRing>) -> Self {
        let sealer = Self::default();
        sealer.replace(ring);
        sealer
    }

    /// Another ring in the place of the one before, from the next record on.
    pub(super) fn replace(&self, ring: Option<KeyRing>) {
        let ciphers = HashMap::new();
        *self.0.write() = State { ring, ciphers };
    }

    /// Whether it is a key of the ring, and not the active one.
    pub(super) fn is_old(&self, id: KeyId) -> bool {
        let state = self.0.read();
        let ring = state.ring.as_ref();
        ring.is_some_and(|ring| ring.active() != id && ring.secret(id).is_some())
    }

    /// What may be told of the ring's keys.
    pub(super) fn keys(&self) -> Vec<KeyEntry> {
        let state = self.0.read();
        state.ring.iter().flat_map(KeyRing::keys).collect()
    }

    /// What new records of a tenant are sealed with.
    pub(super) fn active_cipher(&self, tenant: &str) -> Option<(KeyId, Arc<Xaes>)> {
        self.cipher(tenant, |ring| ring.active())
    }

    /// What was sealed under a key of the ring: `sealed` is what stands behind the header.
    pub(super) fn open(
        &self,
        key: TierKey<'_>,
        id: KeyId,
        (header, dictionary): (&[u8], Option<&Dictionary>),
        sealed: &[u8],
    ) -> Result<Vec<u8>, Damage> {
        let cipher = self.cipher(key.tenant, |_| id);
        let (_, cipher) = cipher.ok_or(Damage::UnknownKey(id))?;
        let (nonce, rest) = sealed.split_first_chunk().ok_or(Damage::Malformed)?;
        let (content, tag) = rest.split_last_chunk().ok_or(Damage::Malformed)?;
        let mut content = content.to_vec();
        let associated = associated(header, dictionary, key);
        match cipher.open(nonce, &associated, &mut content, tag) {
            Ok(()) => Ok(content),
            Err(_) => Err(Damage::Forged),
        }
    }

    /// The cipher of a tenant under one of the ring's keys.
    fn cipher(
        &self,
        tenant: &str,
        which: impl Fn(&KeyRing) -> KeyId,
    ) -> Option<(KeyId, Arc<Xaes>)> {
        {
            let state = self.0.read();
            let id = which(state.ring.as_ref()?);
            let of_key = state.ciphers.get(&id);
            if let Some(cipher) = of_key.and_then(|ciphers| ciphers.get(tenant)) {
                return Some((id, Arc::clone(cipher)));
            }
        }
        let mut state = self.0.write();
        let ring = state.ring.as_ref()?;
        let id = which(ring);
        let cipher = Arc::new(derive(ring.secret(id)?, tenant)?);
        let of_key = state.ciphers.entry(id).or_default();
        if of_key.len() >= TENANTS_MAX {
            of_key.clear();
        }
        of_key.insert(tenant.into(), Arc::clone(&cipher));
        Some((id, cipher))
    }
}

/// Seals what `out` holds from where `written` says. Before that stand the header, from `start` on, and room for the
/// nonce.
pub(super) fn seal(
    cipher: &Xaes,
    key: TierKey<'_>,
    out: &mut Vec<u8>,
    start: usize,
    written: &Written,
) -> Result<(), Refusal> {
    let (head, content) = out[start..].split_at_mut(written.content_start - start);
    let (header, room) = head.split_at_mut(head.len() - NONCE_BYTES);
    let mut nonce = [0; NONCE_BYTES];
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|error| Refusal::NoRandomness(error.to_string()))?;
    room.copy_from_slice(&nonce);
    let (bytes, bytes_max) = (content.len(), u32::MAX as usize);
    let dictionary = written.dictionary.as_deref();
    let tag = cipher
        .seal(&nonce, &associated(header, dictionary, key), content)
        .map_err(|Broken| Refusal::TooLarge(bytes, bytes_max))?;
    out.extend_from_slice(&tag);
    Ok(())
}

fn derive(secret: &[u8; KEY_BYTES], tenant: &str) -> Option<Xaes> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(None, secret)
        .expand_multi_info(&[PURPOSE, tenant.as_bytes()], &mut *key)
        .ok()?;
    Some(Xaes::new(&key))
}

/// What a seal proves beside the content: the header, the dictionary that it names, and where the record belongs. With
/// another dictionary of the same id, which is short, the content would become another value.
fn associated(header: &[u8], dictionary: Option<&Dictionary>, key: TierKey<'_>) -> Vec<u8> {
    let tenant_bytes = (key.tenant.len() as u64).to_le_bytes();
    let digest = dictionary.map_or(&[][..], Dictionary::digest);
    [
        header,
        digest,
        &tenant_bytes,
        key.tenant.as_bytes(),
        &[key.db],
        key.bytes,
    ]
    .concat()
}
