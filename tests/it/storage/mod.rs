//! Durable storages: power failures, damage, images of earlier versions, costs.

mod flash_corruption;
mod flash_costs;
mod flash_device;
mod flash_figures;
mod flash_host;
mod flash_power;
mod flash_store;
mod storages;
mod storages_model;
mod store_images;
