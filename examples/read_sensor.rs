//! A host function of the embedder's own: a plugin reads a sensor of the device.
//!
//! `cargo run --example read_sensor`
//!
//! The function is under the module `board`, needs the capability `board.sensor`, and gets the
//! same bounds checks, fuel, quota and audit as SochDB's functions.

use sochdb_wasmi::{
    abi::Capability,
    capability::{Capabilities, Globs},
    database::{Database, MemoryLimits, Storage},
    host::{
        Host, HostCallResult, HostConfig, HostFunction, HostFunctionContext, NoClock, PluginConfig,
    },
};

/// A thermometer on pin `request[0]`; answers hundredths of a degree as an `i32`, little-endian.
struct ReadSensor {
    readings: i32,
}

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
        let &[pin] = request else {
            return HostCallResult::invalid("the request is the number of a pin, one byte");
        };
        if pin > 3 {
            return HostCallResult::not_found(format_args!("pin {pin} has no sensor"));
        }
        // Waiting for a conversion is work of the host's: the plugin pays for it.
        if let Err(stop) = context.charge(500) {
            return stop;
        }
        let Some(place) = response.first_chunk_mut() else {
            return HostCallResult::BufferTooSmall { needed: 4 };
        };
        self.readings += 1;
        *place = (2000 + 10 * i32::from(pin) + self.readings).to_le_bytes();
        HostCallResult::Success(4)
    }
}

const PLUGIN: &str = r#"(module
    (import "board" "read_sensor" (func $read_sensor (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global (export "sochdb_plugin") i32 (i32.const 0))
    (; the descriptor: ABI version 1, input at 256, output at 512, 256 bytes each ;)
    (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
    (func (export "measure") (param $input_len i32) (result i32)
        (call $read_sensor (i32.const 256) (local.get $input_len) (i32.const 512) (i32.const 4))))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = Database::in_memory(MemoryLimits::default());
    let mut host = Host::new(HostConfig::default(), database, NoClock);
    host.register("board", ReadSensor { readings: 0 })?;
    let granted =
        Capabilities { can_call_host: Globs::named(&["board.*"])?, ..Capabilities::default() };
    let wasm = wat::parse_str(PLUGIN)?;
    let plugin = host.load("thermometer", &wasm, &PluginConfig::new(granted))?;
    let stranger = host.load("stranger", &wasm, &PluginConfig::default())?;

    let outcome = host.call(plugin, "measure", &[2])?;
    let hundredths = i32::from_le_bytes(outcome.output.try_into()?);
    println!("pin 2: {:.2} °C for {} fuel", f64::from(hundredths) / 100.0, outcome.report.fuel);
    println!("pin 9: {}", host.call(plugin, "measure", &[9]).unwrap_err());
    println!("without the grant: {}", host.call(stranger, "measure", &[2]).unwrap_err());
    for entry in host.audit().iter() {
        println!("  {}", host.describe(entry));
    }
    Ok(())
}
