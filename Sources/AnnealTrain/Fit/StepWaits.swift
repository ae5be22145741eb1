/// The time that the loop over an epoch's steps has waited.
package struct StepWaits {
    /// For the next batch, seconds.
    package var data = 0.0
    /// For the device: submitting steps, and reading their results.
    package var device = 0.0
    /// Whether the device computes while the loop waits for the next batch.
    package var isLate = false

    package init(data: Double = 0, device: Double = 0, isLate: Bool = false) {
        self.data = data
        self.device = device
        self.isLate = isLate
    }

    /// Below this a warning is not worthwhile.
    private static let leastSeconds = 10.0
    private static let leastShare = 0.3

    /// A warning if decoding is slower than the device; nil otherwise. If the loop waits for a device that computes
    /// while the next batch is loaded, the device is the slower one.
    package var remark: String? {
        let share = data / max(data + device, 1e-9)
        guard data + device >= Self.leastSeconds, share >= (isLate ? 2 / 3 : Self.leastShare) else { return nil }
        let percent = Int((100 * share).rounded())
        return "\(percent) % of the time was spent waiting for data: decoding is slower than the device "
            + "(--data-nthreads decodes with more threads)"
    }
}
