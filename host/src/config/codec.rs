//! The `[compression]` and the `[encryption]`: the form in which values leave the process.

use larder_tiers::codec::Encrypt;

use super::Codec;
use super::kinds::{Choice, Or, Place, Switch};
use super::reader::Reader;

const ENCRYPT: Choice<Encrypt> = Choice {
    words: &[
        ("all", Encrypt::All),
        ("marked", Encrypt::Marked),
        ("none", Encrypt::None),
    ],
    note: "",
};

pub(super) fn read(reader: &mut Reader<'_>) -> Codec {
    let compress = reader.read(
        "compression.enabled",
        "true",
        Switch,
        "Values are compressed below the memory where that pays",
    );
    let key_ring = reader.read(
        "encryption.key_ring",
        "none",
        Or("none", Place),
        "Key ring that values are sealed with below the memory; `larder keys new` makes one",
    );
    let said = reader.read(
        "encryption.encrypt",
        "auto",
        Or("auto", ENCRYPT),
        "What is sealed: all, marked (SECURITY high) or none; auto is all where there is a key ring",
    );
    let encrypt = match (&key_ring, said) {
        (Some(_), said) => said.unwrap_or(Encrypt::All),
        (None, Some(Encrypt::All | Encrypt::Marked)) => {
            let allowed = "\"auto\" or \"none\", because encryption.key_ring names no key ring; `larder keys new` makes one";
            reader.refuse("encryption.encrypt", allowed);
            Encrypt::None
        }
        (None, None | Some(Encrypt::None)) => Encrypt::None,
    };
    Codec {
        compress,
        key_ring,
        encrypt,
    }
}
