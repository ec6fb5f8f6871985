//! The plugins, in flash.

use sochdb_wasmi::{
    audit::PluginId,
    host::{Host, LoadError, PluginConfig},
};

/// A compiled plugin.
pub struct Plugin {
    name: &'static str,
    wasm: &'static [u8],
    #[cfg_attr(feature = "validate", allow(dead_code, reason = "the validator decides"))]
    sha256: &'static [u8; 32],
}

macro_rules! plugin {
    ($name:literal) => {
        Plugin {
            name: $name,
            wasm: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")),
            sha256: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".sha256")),
        }
    };
}

/// `examples/plugins/weather`.
pub static WEATHER: Plugin = plugin!("weather");
/// `examples/plugins/counter.wat`, with 16 KiB of memory instead of a page of 64 KiB.
pub static COUNTER: Plugin = plugin!("counter");
/// `examples/plugins/freezer`, which has 16 KiB of memory.
pub static FREEZER: Plugin = plugin!("freezer");
/// `sensor.wat`.
pub static SENSOR: Plugin = plugin!("sensor");

impl Plugin {
    /// Bytes of the module.
    pub fn len(&self) -> u32 {
        self.wasm.len() as u32
    }

    /// Loads it.
    #[cfg(feature = "validate")]
    pub fn load(&self, host: &mut Host, config: &PluginConfig) -> Result<PluginId, LoadError> {
        host.load(self.name, self.wasm, config)
    }

    /// Loads it, if it is what was there when the firmware was built.
    #[cfg(not(feature = "validate"))]
    pub fn load(&self, host: &mut Host, config: &PluginConfig) -> Result<PluginId, LoadError> {
        // SAFETY: `run.sh` first runs the firmware with the validator, which loads these bytes.
        unsafe { host.load_trusted(self.name, self.wasm, self.sha256, config) }
    }
}
