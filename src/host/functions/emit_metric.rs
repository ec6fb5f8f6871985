//! `emit_metric`: counters, gauges and histograms with labels.

use crate::{
    abi::{message::MetricRequest, wire},
    database::Storage,
    host::{
        access::{HostFunctionContext, Identity},
        boundary::HostCallFailure,
    },
};

/// Emits a metric.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmitMetric;

pub(in crate::host) fn emit_metric<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    _response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let plugin = context.plugin_id();
    context.plugin.passes_over_call();
    // A series that is known is found by the bytes of its request, which were checked when it
    // was new.
    if context.metrics.observe(plugin, request)? {
        return Ok(0);
    }
    let metric: MetricRequest<'_> = wire::decode(request)?;
    let Identity { name, metric_series, .. } = &*context.plugin;
    context.metrics.begin(plugin, name, *metric_series, request, &metric)?;
    Ok(0)
}
