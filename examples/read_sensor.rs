//! A host function of the embedder's own: a plugin reads a sensor of the device.
//!
//! `cargo run --example read_sensor`
//!
//! The function is imported from the module `board` and needs the grant `board.*`. It has the same
//! bounds checks, fuel, quota and audit as SochDB's functions.

use sochdb_wasmi::{
    abi::Capability,
    capability::{Capabilities, Globs},
    database::{Database, Storage},
    host::*,
};

/// A thermometer on pin `request[0]`; answers hundredths of a degree as an `i32`, little-endian.
struct ReadSensor;

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
        let &[pin] = request else { return HostCallResult::invalid("one byte: a pin's number") };
        // The plugin pays for the conversion.
        if let Err(stop) = context.charge(500) {
            return stop.into();
        }
        let Some(place) = response.first_chunk_mut() else {
            return HostCallResult::BufferTooSmall { needed: 4 };
        };
        *place = (2000 + 10 * i32::from(pin)).to_le_bytes();
        HostCallResult::Success(4)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut host = Host::new(HostConfig::default(), Database::in_memory(<_>::default()), NoClock);
    host.register("board", ReadSensor)?;
    let granted =
        Capabilities { can_call_host: Globs::named(&["board.*"])?, ..Capabilities::default() };
    let wasm = wat::parse_str(include_str!("plugins/thermometer.wat"))?;
    let plugin = host.load("thermometer", &wasm, &PluginConfig::new(granted))?;
    let outcome = host.call(plugin, "measure", &[2])?;
    let degrees = f64::from(i32::from_le_bytes(outcome.output.try_into()?)) / 100.0;
    println!("pin 2: {degrees:.2} °C for {} fuel", outcome.report.fuel);
    host.audit().iter().for_each(|entry| println!("{}", host.describe(entry)));
    Ok(())
}
