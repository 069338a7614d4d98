//! Memory that is refused, at any moment.

use super::*;

#[test]
fn what_is_refused_changes_nothing_and_all_is_given_back() {
    let (calls, alloc) = table();
    let start = alloc.out();
    for allowed in 0..40 {
        alloc.allow(allowed);
        let followed = calls.follow(ALICE, 1).is_ok();
        let begun = calls.begin(&parties(ALICE, BOB), &TEXTS, CallState::Trying);
        if let Ok((number, _)) = begun {
            let texts = CallTexts { tags: [b"from", b"a longer tag than before"], ..TEXTS };
            calls.change(number, Some(&texts), || CallState::Confirmed);
            let told = told(&calls);
            assert!(told.iter().all(|user| user.calls.iter().all(|call| call.state == CallState::Confirmed)));
            calls.end(number);
            if followed {
                assert!(super::told(&calls).iter().all(|user| user.followers.len() == 1));
            }
        }
        calls.unfollow(ALICE, 1);
        told(&calls);
        assert!(calls.is_empty(), "{allowed} allocations");
        alloc.allow(i64::MAX);
        assert_eq!(alloc.out(), start, "{allowed} allocations");
    }
}
