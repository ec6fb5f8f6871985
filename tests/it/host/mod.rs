//! Hosts and plugins: loading, calls, host functions, grants, audit, metrics, memory.

mod allocations;
mod audit;
mod bad_modules;
mod bad_requests;
mod capability;
mod counter_wat;
mod deadlines;
mod footprint;
mod functions;
mod grants;
mod hooks;
mod hostile;
mod last_error;
mod locals;
mod metrics;
mod modules;
mod names_and_lengths;
mod nested;
mod own_functions;
mod pages;
mod ram_bound;
mod replace;
mod small_buffers;
mod static_memory;
mod toon;
mod toon_numbers;
#[cfg(feature = "trusted")]
mod trusted;
mod weather_job;
