//! A service's metrics page, read as a user would.

/// A page in the Prometheus text format.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Reads the page at a service's `http://host:port`; an empty one when it does not answer.
    pub(crate) async fn read(http: &reqwest::Client, service: &str) -> Self {
        let answered = async { http.get(format!("{service}/metrics")).send().await?.text().await };
        Self(answered.await.unwrap_or_else(|error| {
            eprintln!("no metrics: {error}");
            String::new()
        }))
    }

    /// The sum of a metric over its labels; zero when it is not on the page.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let values = self.0.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let is_it = key.split('{').next() == Some(name);
            is_it.then(|| value.parse::<f64>().ok())?
        });
        values.sum()
    }

    /// The bucket that a quantile of a histogram is in, over its labels: its upper bound; none when nothing was recorded.
    pub(crate) fn bound(&self, name: &str, share: f64) -> Option<f64> {
        let bucket = format!("{name}_bucket{{");
        let mut counts: Vec<(f64, f64)> = Vec::new();
        for line in self.0.lines().filter(|line| line.starts_with(&bucket)) {
            let (key, count) = line.rsplit_once(' ')?;
            let (_, bound) = key.rsplit_once("le=\"")?;
            let bound = bound.trim_end_matches("\"}").parse::<f64>().ok()?;
            let count = count.parse::<f64>().ok()?;
            match counts.iter_mut().find(|known| known.0.total_cmp(&bound).is_eq()) {
                Some(known) => known.1 += count,
                None => counts.push((bound, count)),
            }
        }
        let all = counts.iter().map(|known| known.1).fold(0.0, f64::max);
        let within = counts.iter().filter(|known| all > 0.0 && known.1 >= share * all);
        within.map(|known| known.0).min_by(f64::total_cmp)
    }

    /// The lines whose metric begins with one of these names.
    pub(crate) fn lines_of<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let wanted = |line: &&str| names.iter().any(|name| line.starts_with(name));
        self.0.lines().filter(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn values_are_summed_over_labels_by_the_whole_name() {
        let page = Metrics("# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3.5\na_b 7\n".to_owned());
        assert!((page.sum("a") - 5.5).abs() < 1e-9);
        assert!(page.sum("none").abs() < 1e-9);
        let page = Metrics("s_bucket{k=\"x\",le=\"0.1\"} 5\ns_bucket{k=\"x\",le=\"+Inf\"} 6\ns_bucket{k=\"y\",le=\"0.1\"} 4\ns_bucket{k=\"y\",le=\"+Inf\"} 4\n".to_owned());
        assert_eq!(
            (page.bound("s", 0.9), page.bound("s", 0.99)),
            (Some(0.1), Some(f64::INFINITY))
        );
        assert_eq!(page.bound("t", 0.5), None);
        let page = Metrics("a_b 7\n".to_owned());
        assert_eq!(page.lines_of(&["a_b"]).collect::<Vec<_>>(), ["a_b 7"]);
    }
}
