//! tidegate: a push gateway for Prometheus metrics.

pub mod model;
