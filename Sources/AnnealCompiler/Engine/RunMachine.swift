/// What the last bits of a run's weights depend on in addition to the run itself. The number of threads is not part of
/// it; states that contain one still load.
public struct RunMachine: Codable, Sendable, Equatable {
    /// The instruction set of the CPU's kernels (portable, avx2 or avx512), or an accelerator's kind, model and
    /// number of shards.
    public var kernels: String
    /// The library for operations without a kernel of the engine's own, with its version, e.g. `oneDNN 2.6.3`; nil if
    /// there is none, or the state was saved by a version that did not record it.
    public var library: String?

    public init(kernels: String, library: String? = nil) {
        self.kernels = kernels
        self.library = library
    }

    /// The message when a run that was saved here resumes on another machine: nil if no bit is known to differ.
    package func warning(resumingOn now: RunMachine) -> String? {
        if kernels != now.kernels {
            return "The run was saved on \(kernels), and continues on \(now.kernels): they add in a different order, "
                + "so the last bits of sums differ"
        }
        guard let library, let other = now.library, library != other else { return nil }
        return
            "The run was saved with \(library), now \(other): it may add in a different order, so the last bits of sums may differ"
    }
}
