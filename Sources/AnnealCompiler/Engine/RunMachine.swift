/// What the last bits of a run's weights depend on besides the run itself. The number of threads is not part of it; states
/// that have one still load.
public struct RunMachine: Codable, Sendable, Equatable {
    /// The instruction set of the CPU's kernels (portable, avx2 or avx512), or an accelerator's kind, model and
    /// number of shards.
    public var kernels: String
    /// The library that computes what the engine's own kernels do not, with its version, e.g. `oneDNN 2.6.3`; nil if there is
    /// none, or the state is of a version that did not record it.
    public var library: String?

    public init(kernels: String, library: String? = nil) {
        self.kernels = kernels
        self.library = library
    }

    /// What a user is told when a run that was saved here resumes on another machine: nil if no bit will differ, as far as is
    /// known.
    package func warning(resumingOn now: RunMachine) -> String? {
        if kernels != now.kernels {
            return "The run was saved on \(kernels), and continues on \(now.kernels): they add in another order, "
                + "and sums end in other bits"
        }
        guard let library, let other = now.library, library != other else { return nil }
        return
            "The run was saved with \(library), now \(other): it may add in another order, and sums end in other bits"
    }
}
