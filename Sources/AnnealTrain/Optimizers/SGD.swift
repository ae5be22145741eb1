import AnnealCompiler
import AnnealCore

/// Stochastic gradient descent with momentum (Polyak 1964) and weight decay; MXNet's `sgd`.
///
///     G = C(r*g) + d*w
///     m = momentum*m - l*G          (the rate is inside m, as in MXNet)
///     w = w + m
///
/// Without momentum: w = w - l*G. MXNet's defaults: momentum 0, learning rate 0.01.
///
/// `nesterov` is the look-ahead of Sutskever et al. 2013 as in PyTorch's SGD(nesterov=True), with the rate outside m,
/// so that a new rate scales all of the next step:
///
///     m = momentum*m + G
///     w = w - l*(G + momentum*m)
///
/// (MXNet's own `nag` has the rate inside m, and differs with weight decay.)
public struct SGD: OptimizerRule {
    public static let name = "sgd"

    public var momentum: Double
    public var nesterov: Bool

    /// - Precondition: momentum is not negative.
    public init(momentum: Double = 0, nesterov: Bool = false) {
        precondition(momentum >= 0, "momentum \(momentum) is negative")
        self.momentum = momentum
        self.nesterov = nesterov
    }

    public init(options: inout NamedOptions) throws {
        self.init(momentum: try options.momentum(), nesterov: try options.flag("nesterov", false))
        options.ignore("lazy_update")
    }

    public var stateCount: Int { momentum == 0 ? 0 : 1 }
    public var choices: (Bool, Bool) { (momentum != 0, nesterov) }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let (hasMomentum, isNesterov) = k.choices
        SGD.update(
            &element, k, by: k.scaled(element.gradient), momentum: hasMomentum ? N(momentum) : nil, nesterov: isNesterov
        )
    }

    /// The update for a gradient that is scaled and clipped.
    /// - Parameter momentum: of this step, which LARS changes; nil: no momentum and no state.
    @inline(__always)
    static func update<N: RuleNumber>(
        _ element: inout RuleElement<N>, _ k: RuleNumbers<N>, by gradient: N, momentum: N?, nesterov: Bool = false
    ) {
        let w = element.weight, decay = k.rate * k.decay
        guard let momentum else {
            element.weight = w - (decay * w + k.rate * gradient)
            return
        }
        if nesterov {
            let direction = gradient + k.decay * w
            element.states[0] = momentum * element.states[0] + direction
            element.weight = w - k.rate * (direction + momentum * element.states[0])
        } else {
            element.states[0] = momentum * element.states[0] - decay * w - k.rate * gradient
            element.weight = w + element.states[0]
        }
    }
}

extension NamedOptions {
    /// `momentum`, which MXNet accepts from 0 on.
    mutating func momentum(_ standard: Double = 0) throws -> Double {
        let momentum = try number("momentum", standard)
        guard momentum >= 0 else {
            throw AnnealError("\(place), momentum", "is \(momentum)", suggestion: "give 0 or more, usually 0.9")
        }
        return momentum
    }
}
