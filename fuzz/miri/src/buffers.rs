//! The buffers that a plugin shares with its host: `src/guest/buffers.rs`.

use sochdb_wasmi::guest::buffers::Buffers;

#[test]
fn buffers_are_lent_to_one_body_at_a_time_and_keep_what_it_wrote() {
    let buffers = Buffers::<4, 8, 16>::new();
    for round in 1..=3 {
        let inner = buffers.lend(|input, output, scratch| {
            assert_eq!((input, output[7], scratch[15]), (&[0; 4][..], round - 1, round - 1));
            output[7] += 1;
            let inner = buffers.lend(|_, output, _| output[7] = 0xff);
            // Still the only reference.
            scratch[15] += 1;
            output.fill(round);
            inner
        });
        assert_eq!(inner, Some(None));
    }
}
