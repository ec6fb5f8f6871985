//! Numbers of the report.

use core::fmt;

/// A number with this many decimals. `{:.1}` would bring 12 KB of code, which rounds any double to
/// any number of digits.
pub struct Decimal<const PLACES: u32>(pub f64);

impl<const PLACES: u32> fmt::Display for Decimal<PLACES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_u32.pow(PLACES);
        let sign = if self.0 < 0.0 { "-" } else { "" };
        let scaled = (self.0.abs() * f64::from(scale) + 0.5) as u32;
        let (whole, rest) = (scaled / scale, scaled % scale);
        write!(f, "{sign}{whole}.{rest:0places$}", places = PLACES as usize)
    }
}
