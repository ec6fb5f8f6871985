//! Random numbers that a seed decides: SplitMix64.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// An integer that is often at an edge.
    pub fn integer(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => self.below(70) as u64,
            2 => 1 << self.below(64),
            3 => (1_u64 << self.below(64)).wrapping_sub(1),
            4 => (self.below(4) as u64).wrapping_neg(),
            _ => self.next(),
        }
    }

    /// The bits of a float, often of one at an edge.
    pub fn float(&mut self) -> f64 {
        const EDGES: [f64; 14] = [
            0.0,
            0.5,
            1.0,
            1.5,
            2.5,
            1e-310,
            1e-40,
            65_535.5,
            2_147_483_647.0,
            2_147_483_648.0,
            4_294_967_296.0,
            9_223_372_036_854_775_808.0,
            18_446_744_073_709_551_616.0,
            f64::INFINITY,
        ];
        let value = match self.below(6) {
            0 | 1 => self.pick(&EDGES),
            2 => self.below(1000) as f64 / 4.0,
            3 => f64::NAN,
            4 => self.integer() as f64,
            _ => f64::from_bits(self.next()),
        };
        if self.one_in(2) { -value } else { value }
    }

    /// The bits of a float of 32 bits: any NaN too.
    pub fn float_32(&mut self) -> u32 {
        match self.below(4) {
            0 => self.next() as u32,
            1 => 0x7f80_0000 | self.next() as u32,
            _ => (self.float() as f32).to_bits(),
        }
    }

    /// The same of 64 bits.
    pub fn float_64(&mut self) -> u64 {
        match self.below(4) {
            0 => 0x7ff0_0000_0000_0000 | self.next(),
            _ => self.float().to_bits(),
        }
    }
}
