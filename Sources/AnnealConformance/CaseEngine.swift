import Anneal
import AnnealCPU
import AnnealReference
import AnnealXLA

/// The engines that cases can be run on.
public enum CaseEngine: String, CaseIterable, Sendable {
    case cpu, reference, xla, cuda, rocm

    /// - Parameter reproducesMXNetDefects: reproduces clear bugs of MXNet 1.9.1, which its cases contain.
    package func make(reproducesMXNetDefects: Bool = false) throws -> any Engine {
        switch self {
        case .cpu:
            let engine = try CPUEngine()
            engine.reproducesMXNetDefects = reproducesMXNetDefects
            return engine
        case .reference:
            let engine = ReferenceEngine()
            engine.reproducesMXNetDefects = reproducesMXNetDefects
            return engine
        case .xla, .cuda, .rocm:
            let engine = try Accelerators.engine(self == .xla ? "xla-cpu" : rawValue, indexes: [0])
            engine.reproducesMXNetDefects = reproducesMXNetDefects
            return engine
        }
    }
}
