//! Damage to bytes: what a fault, a foreign tool or an attacker makes of them.

use crate::random::Random;

/// Numbers that lengths, counts and tags are often wrong by.
const EDGES: [u8; 10] = [0, 1, 2, 7, 9, 0x7f, 0x80, 0xc0, 0xfe, 0xff];

/// Damages bytes once to four times. They may become longer or shorter.
pub fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len().max(1));
        let len = (1 + random.below(16)).min(bytes.len() - at.min(bytes.len()));
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.pick(&EDGES),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + len)),
            4 => {
                let copied = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copied);
            }
            5 => {
                // A varint that is longer than it need be, or larger than anything.
                let tail = random.pick(&[0x00, 0x01, 0x0f, 0x7f]);
                let varint = [vec![0xff; random.below(11)], vec![tail]].concat();
                bytes.splice(at..at, varint);
            }
            6 => bytes[at..at + len].fill(random.pick(&EDGES)),
            _ => {
                let noise = (0..random.below(12)).map(|_| random.next() as u8).collect::<Vec<_>>();
                bytes.splice(at..at, noise);
            }
        }
    }
}
