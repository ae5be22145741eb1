import AnnealCore

/// Stochastic gradient descent with momentum (Polyak 1964) and weight decay; MXNet's `sgd`.
///
///     G = C(r*g) + d*w
///     m = momentum*m - l*G          (the rate is inside m, as in MXNet)
///     w = w + m
///
/// Without momentum: w = w - l*G. MXNet's defaults: momentum 0, learning rate 0.01.
///
/// `nesterov` is the look-ahead of Sutskever et al. 2013 as PyTorch's SGD(nesterov=True) has it, with the rate outside m, so
/// that a new rate scales all of the next step:
///
///     m = momentum*m + G
///     w = w - l*(G + momentum*m)
///
/// (MXNet's own `nag` has the rate inside m, and differs where there is weight decay.)
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

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        SGD.update(slice, step, rate: step.l, momentum: Float(momentum), nesterov: nesterov)
    }

    /// The update with a rate and a momentum of the step, which LARS and others scale.
    static func update(
        _ slice: ParameterSlice, _ step: StepContext, rate: Float, momentum: Float, nesterov: Bool = false
    ) {
        let bound = step.bound, r = step.r, decay = rate * step.d
        if slice.states.0 == nil {
            slice.update { w, g in w -= decay * w + rate * clip(r * g, bound) }
        } else if nesterov {
            let d = step.d
            slice.update { w, g, m in
                let gradient = clip(r * g, bound) + d * w
                m = momentum * m + gradient
                w -= rate * (gradient + momentum * m)
            }
        } else {
            slice.update { w, g, m in
                m = momentum * m - decay * w - rate * clip(r * g, bound)
                w += m
            }
        }
    }
}

extension NamedOptions {
    /// `momentum`, which MXNet takes from 0 on.
    mutating func momentum(_ standard: Double = 0) throws -> Double {
        let momentum = try number("momentum", standard)
        guard momentum >= 0 else {
            throw AnnealError("\(place), momentum", "is \(momentum)", suggestion: "give 0 or more, usually 0.9")
        }
        return momentum
    }
}
