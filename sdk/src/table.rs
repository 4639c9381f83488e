//! A value for each slot.

#[cfg(any(target_arch = "wasm32", test))]
#[cfg_attr(test, allow(unreachable_pub, reason = "tested where it is not used"))]
mod chunked;
#[cfg(any(not(target_arch = "wasm32"), test))]
mod flat;

#[cfg(target_arch = "wasm32")]
pub use chunked::Table;
#[cfg(not(target_arch = "wasm32"))]
pub use flat::Table;

#[cfg(test)]
mod tests {
    macro_rules! test_table {
        ($table:ident) => {
            mod $table {
                use super::super::$table::Table;

                #[test]
                fn what_is_covered_holds_the_default_and_keeps_what_is_written() {
                    let mut table = Table::default();
                    for slot in [0, 3, 511, 512, 5000] {
                        table.cover(slot);
                        assert_eq!(table[slot], 0u32);
                        table[slot] = slot + 1;
                    }
                    table.cover(7);
                    let written = [0, 3, 511, 512, 5000].map(|slot| table[slot]);
                    assert_eq!(written, [1, 4, 512, 513, 5001]);
                    assert_eq!(table[4999], 0);
                    assert_eq!((table.get(511), table.get(1 << 20)), (Some(&512), None));
                }

                #[test]
                fn memory_follows_the_slots() {
                    let mut table = Table::<u32>::default();
                    assert_eq!(table.memory_bytes(), 0);
                    (0..31_250).for_each(|slot| table.cover(slot));
                    assert!((125_000..142_000).contains(&table.memory_bytes()));
                }
            }
        };
    }

    test_table!(chunked);
    test_table!(flat);
}
