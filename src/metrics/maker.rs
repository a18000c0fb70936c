//! Makes metrics, and keeps each until all of them are registered: so that a test can ask which there are.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Result,
};

/// Makes metrics.
#[derive(Default)]
pub(super) struct Maker {
    made: Vec<Box<dyn Collector>>,
}

impl Maker {
    /// All that were made.
    pub(super) fn made(self) -> Vec<Box<dyn Collector>> {
        self.made
    }

    /// One that is there already.
    #[cfg(target_os = "linux")]
    pub(super) fn take(&mut self, collector: impl Collector + 'static) {
        self.made.push(Box::new(collector));
    }

    fn keep<C: Collector + Clone + 'static>(&mut self, collector: C) -> C {
        self.made.push(Box::new(collector.clone()));
        collector
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> Result<IntCounter> {
        Ok(self.keep(IntCounter::new(name, help)?))
    }

    pub(super) fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        Ok(self.keep(IntCounterVec::new(Opts::new(name, help), labels)?))
    }

    /// A gauge of a whole number.
    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Result<IntGauge> {
        Ok(self.keep(IntGauge::new(name, help)?))
    }

    /// Gauges of whole numbers.
    pub(super) fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        Ok(self.keep(IntGaugeVec::new(Opts::new(name, help), labels)?))
    }

    /// Gauges of numbers that have a fraction: seconds.
    pub(super) fn fractions(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
        Ok(self.keep(GaugeVec::new(Opts::new(name, help), labels)?))
    }

    /// A gauge that says something with its labels alone.
    pub(super) fn info(&mut self, name: &str, help: &str, label: (&str, &str)) -> Result<Gauge> {
        let gauge = Gauge::with_opts(Opts::new(name, help).const_label(label.0, label.1))?;
        gauge.set(1.0);
        Ok(self.keep(gauge))
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        Ok(self.keep(Histogram::with_opts(options)?))
    }

    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        Ok(self.keep(HistogramVec::new(options, labels)?))
    }
}
