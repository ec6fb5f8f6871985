//! The prices of host work, and the meter that charges them before the work is done.
//!
//! Prices are in fuel, the unit that the interpreter charges a plugin's own instructions in, so
//! one budget bounds a whole call. They depend on nothing but the request and the data.

use core::fmt;

use crate::limits::{Limit, LimitExceeded, Limits};

/// Declares the prices: name, fuel, and what it is paid for, as `docs/fuel.md` has it.
macro_rules! prices {
    ($($field:ident = $price:literal, $doc:literal;)*) => {
        /// Prices of host work, in fuel. Calibrated once against instruction counts; see
        /// `docs/fuel.md` for the figures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Prices {$(
            #[doc = concat!("For ", $doc, ".")]
            pub $field: u64,
        )*}

        /// The prices in force. Part of the ABI: a change is a new
        /// [`ABI_VERSION`](crate::abi::ABI_VERSION).
        pub const PRICES: Prices = Prices { $($field: $price,)* };

        impl Prices {
            /// Name, fuel, and what it is paid for, in order.
            pub const TABLE: &'static [(&'static str, u64, &'static str)] =
                &[$((stringify!($field), $price, $doc),)*];
        }
    };
}

prices! {
    call = 45, "every host call";
    seek = 400, "every place in the order of keys that is looked for: the start of a range, of a search, or of the next 16 entries of an index; the check of a unique index";
    row = 25, "every row or index entry that is visited";
    write = 500, "every row and every index entry that is written or deleted";
    bytes16 = 1, "every 16 bytes of a request, of a response, and of a stored row that is read or written";
    dimensions8 = 2, "every 8 dimensions of two vectors that are compared";
    enter = 150, "every call of another plugin, also of a hook: its entry, beside the price of the host call and the fuel that it uses";
}

/// Why host work stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exhausted {
    /// The fuel of the call does not pay for it. Ends the call, as running out of fuel does.
    Fuel(LimitExceeded),
    /// A quota of the call is used up. Ends the host call.
    Quota(LimitExceeded),
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Fuel(exceeded) | Self::Quota(exceeded)) = self;
        exceeded.fmt(f)
    }
}

impl core::error::Error for Exhausted {}

/// Fuel and quotas of one call of an entry point.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Fuel of the running slice.
    slice: u64,
    /// Fuel that later slices have.
    reserve: u64,
    fuel_limit: u64,
    rows_left: u32,
    rows_limit: u32,
    bytes_left: u64,
    bytes_limit: u64,
    messages_left: u32,
    messages_limit: u32,
    log_bytes_left: u32,
    log_bytes_limit: u32,
}

impl Meter {
    /// A full meter.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            slice: 0,
            reserve: limits.fuel_per_call,
            fuel_limit: limits.fuel_per_call,
            rows_left: limits.rows,
            rows_limit: limits.rows,
            bytes_left: limits.bytes,
            bytes_limit: limits.bytes,
            messages_left: limits.log_messages,
            messages_limit: limits.log_messages,
            log_bytes_left: limits.log_bytes,
            log_bytes_limit: limits.log_bytes,
        }
    }

    /// A meter that never stops: for the embedder's own reads and writes.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            slice: u64::MAX,
            reserve: 0,
            fuel_limit: u64::MAX,
            rows_left: u32::MAX,
            rows_limit: u32::MAX,
            bytes_left: u64::MAX,
            bytes_limit: u64::MAX,
            messages_left: u32::MAX,
            messages_limit: u32::MAX,
            log_bytes_left: u32::MAX,
            log_bytes_limit: u32::MAX,
        }
    }

    /// Fuel of the running slice that is left.
    #[inline]
    #[must_use]
    pub const fn slice(&self) -> u64 {
        self.slice
    }

    /// Says what the interpreter left of the running slice.
    #[inline]
    pub const fn set_slice(&mut self, fuel: u64) {
        self.slice = fuel;
    }

    /// Fuel left in all.
    #[must_use]
    pub const fn fuel(&self) -> u64 {
        self.slice.saturating_add(self.reserve)
    }

    /// Begins a slice of at most `fuel`, out of all that is left. Returns what it got.
    pub const fn begin_slice(&mut self, fuel: u64) -> u64 {
        let left = self.fuel();
        self.slice = if fuel < left { fuel } else { left };
        self.reserve = left - self.slice;
        self.slice
    }

    /// Fuel of the whole call.
    #[cfg(feature = "replay")]
    pub(crate) const fn fuel_limit(&self) -> u64 {
        self.fuel_limit
    }

    /// Counts rows that were visited and bytes that were moved when a trace was recorded.
    #[cfg(feature = "replay")]
    pub(crate) const fn use_up(&mut self, rows: u32, bytes: u64) {
        self.rows_left = self.rows_left.saturating_sub(rows);
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
    }

    /// Takes what is left above `fuel`.
    #[cfg(feature = "replay")]
    pub(crate) const fn keep(&mut self, fuel: u64) {
        if fuel < self.fuel() {
            self.slice = if fuel < self.slice { fuel } else { self.slice };
            self.reserve = fuel - self.slice;
        }
    }

    /// Takes all fuel that is left.
    #[cfg(feature = "replay")]
    pub(crate) const fn drain(&mut self) {
        self.slice = 0;
        self.reserve = 0;
    }

    /// Rows visited so far.
    #[must_use]
    pub const fn rows(&self) -> u32 {
        self.rows_limit - self.rows_left
    }

    /// Bytes moved so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes_limit - self.bytes_left
    }

    /// Takes `price` from the fuel: from the running slice, and what it lacks from the later ones.
    ///
    /// # Errors
    /// [`Exhausted::Fuel`]; nothing is taken then.
    #[inline]
    pub fn charge(&mut self, price: u64) -> Result<(), Exhausted> {
        match self.slice.checked_sub(price) {
            Some(left) => {
                self.slice = left;
                Ok(())
            }
            None => self.overdraw(price),
        }
    }

    #[cold]
    fn overdraw(&mut self, price: u64) -> Result<(), Exhausted> {
        match self.reserve.checked_sub(price - self.slice) {
            Some(reserve) => {
                self.slice = 0;
                self.reserve = reserve;
                Ok(())
            }
            None => Err(self.out_of_fuel(price)),
        }
    }

    #[cold]
    fn out_of_fuel(&self, price: u64) -> Exhausted {
        Exhausted::Fuel(LimitExceeded {
            limit: Limit::Fuel,
            allowed: self.fuel_limit,
            asked: self.fuel_limit.saturating_sub(self.fuel()).saturating_add(price),
        })
    }

    /// Pays for visiting a row.
    ///
    /// # Errors
    /// [`Exhausted`], for fuel or [`Limit::Rows`].
    #[inline]
    pub fn visit_row(&mut self) -> Result<(), Exhausted> {
        let Some(left) = self.rows_left.checked_sub(1) else {
            return Err(Exhausted::Quota(LimitExceeded {
                limit: Limit::Rows,
                allowed: self.rows_limit.into(),
                asked: u64::from(self.rows_limit) + 1,
            }));
        };
        self.charge(PRICES.row)?;
        self.rows_left = left;
        Ok(())
    }

    /// Pays for finding a place in the order of keys.
    ///
    /// # Errors
    /// [`Exhausted::Fuel`].
    #[inline]
    pub fn seek(&mut self) -> Result<(), Exhausted> {
        self.charge(PRICES.seek)
    }

    /// Pays for writing or deleting a row or an index entry.
    ///
    /// # Errors
    /// [`Exhausted::Fuel`].
    #[inline]
    pub fn write_entry(&mut self) -> Result<(), Exhausted> {
        self.charge(PRICES.write)
    }

    /// Pays for moving `count` bytes.
    ///
    /// # Errors
    /// [`Exhausted`], for fuel or [`Limit::Bytes`].
    #[inline]
    pub fn move_bytes(&mut self, count: usize) -> Result<(), Exhausted> {
        self.move_bytes_and_charge(count, 0)
    }

    /// Pays for reading `count` bytes of a row where they lie: the price of moving them, without
    /// counting against [`Limit::Bytes`].
    ///
    /// # Errors
    /// [`Exhausted::Fuel`].
    #[inline]
    pub fn read_bytes(&mut self, count: usize) -> Result<(), Exhausted> {
        self.charge((count as u64).div_ceil(16).saturating_mul(PRICES.bytes16))
    }

    /// Pays for a host call and the `count` bytes of its request.
    ///
    /// # Errors
    /// As [`move_bytes`](Self::move_bytes).
    #[inline]
    pub fn begin_call(&mut self, count: usize) -> Result<(), Exhausted> {
        self.move_bytes_and_charge(count, PRICES.call)
    }

    #[inline]
    fn move_bytes_and_charge(&mut self, count: usize, price: u64) -> Result<(), Exhausted> {
        let count = count as u64;
        let Some(left) = self.bytes_left.checked_sub(count) else {
            return Err(Exhausted::Quota(LimitExceeded {
                limit: Limit::Bytes,
                allowed: self.bytes_limit,
                asked: self.bytes().saturating_add(count),
            }));
        };
        self.charge(price.saturating_add(count.div_ceil(16).saturating_mul(PRICES.bytes16)))?;
        self.bytes_left = left;
        Ok(())
    }

    /// Counts a log message of `bytes`, as it is printed. The host call's price pays for it.
    ///
    /// # Errors
    /// [`Exhausted::Quota`], for [`Limit::LogMessages`] or [`Limit::LogBytes`]; nothing is counted
    /// then.
    pub fn log(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let quota = |limit, allowed: u32, left: u32, more: u64| {
            let (allowed, left) = (u64::from(allowed), u64::from(left));
            Exhausted::Quota(LimitExceeded {
                limit,
                allowed,
                asked: (allowed - left).saturating_add(more),
            })
        };
        let Some(messages) = self.messages_left.checked_sub(1) else {
            return Err(quota(Limit::LogMessages, self.messages_limit, 0, 1));
        };
        let left =
            u32::try_from(bytes).ok().and_then(|bytes| self.log_bytes_left.checked_sub(bytes));
        let Some(left) = left else {
            let (allowed, left) = (self.log_bytes_limit, self.log_bytes_left);
            return Err(quota(Limit::LogBytes, allowed, left, bytes as u64));
        };
        self.messages_left = messages;
        self.log_bytes_left = left;
        Ok(())
    }

    /// Pays for comparing two vectors of `dimensions`.
    ///
    /// # Errors
    /// [`Exhausted::Fuel`].
    #[inline]
    pub fn compare_vectors(&mut self, dimensions: usize) -> Result<(), Exhausted> {
        self.charge((dimensions as u64).div_ceil(8).saturating_mul(PRICES.dimensions8))
    }
}
