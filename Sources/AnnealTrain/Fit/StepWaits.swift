/// What the loop over an epoch's steps has waited for.
package struct StepWaits {
    /// For the next batch, seconds.
    package var data = 0.0
    /// For the device: in submitting steps, and in reading what they gave.
    package var device = 0.0
    /// Whether the device works on while the next batch is waited for.
    package var isLate = false

    package init(data: Double = 0, device: Double = 0, isLate: Bool = false) {
        self.data = data
        self.device = device
        self.isLate = isLate
    }

    /// Less is not worth a line, and says little.
    private static let leastSeconds = 10.0
    private static let leastShare = 0.3

    /// A warning if decoding is slower than the device; nil otherwise. A device that computes while the next batch is loaded is
    /// the slower one if it has to be waited for too.
    package var remark: String? {
        let share = data / max(data + device, 1e-9)
        guard data + device >= Self.leastSeconds, share >= (isLate ? 2 / 3 : Self.leastShare) else { return nil }
        let percent = Int((100 * share).rounded())
        return "\(percent) % of the time went into waiting for data: decoding, not the device, sets the pace "
            + "(--data-nthreads decodes with more threads)"
    }
}
