//! The firmware's own host function: a plugin reads the board's thermometer.

use sochdb_wasmi::{
    abi::Capability,
    database::Storage,
    host::{HostCallResult, HostFunction, HostFunctionContext},
};

/// Fuel for one conversion, which the plugin pays as its own work.
const PRICE: u64 = 500;

/// `board.read_sensor`: the request is a channel, one byte; the response hundredths of a degree,
/// an `i32` in little-endian. The machine has no sensor, so a channel reads 20 °C and its number.
pub struct ReadSensor;

impl<S: Storage> HostFunction<S> for ReadSensor {
    fn name(&self) -> &str {
        "read_sensor"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Named("board.sensor")
    }

    fn execute(
        &mut self,
        context: &mut HostFunctionContext<'_, S>,
        request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult {
        let &[channel @ 0..=3] = request else {
            return HostCallResult::invalid("the request is a channel from 0 to 3, one byte");
        };
        if let Err(stop) = context.charge(PRICE) {
            return stop.into();
        }
        let Some(place) = response.first_chunk_mut() else {
            return HostCallResult::BufferTooSmall { needed: 4 };
        };
        *place = (2000 + 100 * i32::from(channel)).to_le_bytes();
        HostCallResult::Success(4)
    }
}
