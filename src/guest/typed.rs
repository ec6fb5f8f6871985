//! Values out of [`Value`]s, by the type that the plugin expects.

use crate::abi::Value;

/// A type that a plugin can ask a value for.
pub trait FromValue<'a>: Sized {
    /// The value, if it is of this type.
    fn from_value(value: Value<'a>) -> Option<Self>;
}

impl<'a> FromValue<'a> for Value<'a> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        Some(value)
    }
}

macro_rules! from_value {
    ($($type:ty => $method:ident),* $(,)?) => {$(
        impl<'a> FromValue<'a> for $type {
            #[inline]
            fn from_value(value: Value<'a>) -> Option<Self> {
                value.$method()
            }
        }
    )*};
}
from_value!(bool => as_bool, i64 => as_int, u64 => as_uint, f64 => as_float,
            &'a str => as_text, &'a [u8] => as_binary);

/// `None` for [`Value::Null`].
impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }
}
