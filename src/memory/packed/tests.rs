//! Several texts in one block.

use proptest::prelude::*;

use super::Packed;
use crate::memory::OutOfMemory;
use crate::testing::Accounted;

fn part() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![Just(0), 1usize..200, Just(127), Just(128), 16_000usize..17_000];
    (length, any::<u8>()).prop_map(|(length, byte)| vec![byte; length])
}

proptest! {
    #[test]
    fn texts_come_out_as_they_went_in(parts in prop::array::uniform4(part())) {
        let account = Accounted::new();
        let packed = Packed::try_new(parts.each_ref().map(Vec::as_slice), account.clone()).unwrap();
        for (index, part) in parts.iter().enumerate() {
            prop_assert_eq!(packed.get(index), &part[..]);
        }
        prop_assert_eq!(packed.get(4), b"");
        prop_assert_eq!(packed.all().map(<[u8]>::to_vec), parts.clone());
        let length: usize = parts.iter().map(Vec::len).sum();
        prop_assert!(account.out() <= length + 12);
        prop_assert!(length > 0 || account.out() == 0);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let account = Accounted::new();
    account.allow(0);
    assert_eq!(Packed::try_new([b"a", b""], account.clone()).err(), Some(OutOfMemory));
    assert!(Packed::try_new([b"", b""], account).is_ok());
}
