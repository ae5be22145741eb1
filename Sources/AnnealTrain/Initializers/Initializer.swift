import AnnealCompiler
import AnnealCore
import AnnealGraph
import Synchronization

/// How parameters are initialised: MXNet's `Initializer`.
///
/// Each parameter is drawn from its own stream, keyed by the seed and its name: its values depend on nothing else.
public protocol Initializer: Sendable {
    /// MXNet's registered name, e.g. `xavier`.
    static var name: String { get }

    /// Reads the options by MXNet's names.
    init(options: inout NamedOptions) throws

    /// Values for a weight. Throws if the initializer does not support its shape.
    func weight(_ name: String, _ shape: Shape, _ random: inout Random) throws -> Tensor

    /// Values for any parameter: by its attributes, by its name, and otherwise as a weight.
    func parameter(_ name: String, _ shape: Shape, attributes: [String: String], seed: UInt64) throws -> Tensor
}

extension Initializer {
    /// MXNet's rules: the attribute `__init__` wins; else the end of the name decides: `weight` is drawn, `bias`,
    /// `beta`, `moving_mean` (Gluon: `running_mean`) and `min` are 0, `gamma`, `moving_var` (`running_var`) and `max`
    /// 1. Throws on any other name.
    public func parameter(
        _ name: String, _ shape: Shape, attributes: [String: String] = [:], seed: UInt64
    ) throws -> Tensor {
        var random = Random(seed: seed, purpose: .initialize, name: name)
        if let json = attributes["__init__"], !json.isEmpty {
            do {
                return try Initializers.make(json: json).weight(name, shape, &random)
            } catch let error as AnnealError {
                throw error.within("parameter \(name)")
            }
        }
        if name.hasSuffix("weight") { return try weight(name, shape, &random) }
        let zeros = ["bias", "beta", "moving_mean", "running_mean", "moving_inv_var", "moving_avg", "min"]
        if zeros.contains(where: name.hasSuffix) { return Tensor(shape) }
        let ones = ["gamma", "moving_var", "running_var", "max"]
        if ones.contains(where: name.hasSuffix) { return Tensor(shape, repeating: 1) }
        throw AnnealError(
            "parameter \(name)", "has a name that does not determine its initial values",
            suggestion: "end it in _weight, _bias, _gamma or _beta, or give the variable an __init__ attribute")
    }
}

extension ParameterStore {
    /// Initialises every parameter and state except those named in `except`.
    public func initialize(
        _ initializer: any Initializer, symbol: Symbol, seed: UInt64, except: Set<String> = []
    ) throws {
        let attributes = Dictionary(
            symbol.nodes.filter(\.isVariable).map { ($0.name, $0.attributes) }, uniquingKeysWith: { first, _ in first })
        var group: [(name: String, shape: Shape)] = [], elements = 0
        for (index, name) in names.enumerated() {
            if !except.contains(name), let shape = shape(name) {
                group.append((name, shape))
                elements += shape.count
            }
            // So many are drawn together that their memory does not count.
            guard elements > 1 << 23 || index == names.count - 1 else { continue }
            let values = Self.drawn(group) { name, shape in
                try initializer.parameter(name, shape, attributes: attributes[name] ?? [:], seed: seed)
            }
            for ((name, _), value) in zip(group, values) { try set(name, try value.get()) }
            (group, elements) = ([], 0)
        }
    }

    /// Draws parameters on all threads: each has a stream of its own, so that the values are the same.
    private static func drawn(
        _ parameters: [(name: String, shape: Shape)], _ draw: @Sendable (String, Shape) throws -> Tensor
    ) -> [Result<Tensor, any Error>] {
        let next = Atomic(0), values = Mutex([Int: Result<Tensor, any Error>]())
        Parallel.run { _, _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < parameters.count else { return }
                let (name, shape) = parameters[index], value = Result { try draw(name, shape) }
                values.withLock { $0[index] = value }
            }
        }
        return values.withLock { values in parameters.indices.compactMap { values[$0] } }
    }
}
