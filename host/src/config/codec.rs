//! The `[compression]` and the `[encryption]`: the form in which values lie in memory and below it.

use larder_tiers::codec::Encrypt;

use super::kinds::{Choice, Or, Place, Size, Switch};
use super::reader::Reader;
use super::{ByteSize, Codec};

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
    let memory = reader.read(
        "compression.memory",
        "off",
        Or(
            "off",
            Size(ByteSize::new(1 << 10)..=ByteSize::new(64 << 20)),
        ),
        "Values of so many bytes are compressed in memory, too, where that saves a quarter",
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
        memory,
        key_ring,
        encrypt,
    }
}
