//! `emit_metric`: counters, gauges and histograms with labels.

use crate::{
    abi::{message::MetricRequest, wire},
    database::Storage,
    host::{HostCallResult, HostFunctionContext},
};

/// Emits a metric.
pub struct EmitMetric;

pub(in crate::host) fn emit_metric<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    _response: &mut [u8],
) -> Result<usize, HostCallResult> {
    let metric: MetricRequest<'_> = wire::decode(request)?;
    let plugin = context.plugin_id();
    context.metrics.emit(plugin, &context.plugin.name, request, &metric)?;
    Ok(0)
}
