import AnnealCore

/// The optimizers by MXNet's names.
public enum Optimizers {
    /// Every rule, in the order of `names`.
    static let rules: [any OptimizerRule.Type] = [
        SGD.self, NAG.self, Signum.self, FTML.self, LARS.self, LBSGD.self, LAMB.self, DCASGD.self, SGLD.self, Adam.self,
        AdamW.self, AdaGrad.self, GroupAdaGrad.self, RMSProp.self, AdaDelta.self, Ftrl.self, Adamax.self, Nadam.self,
        Lion.self,
    ]

    /// The names that `make` accepts.
    public static var names: [String] { rules.map { $0.name } }

    /// The rule of that name, ignoring case; nil if there is none. `ccsgd` is MXNet's old name for `sgd`.
    public static func rule(named name: String) -> (any OptimizerRule.Type)? {
        let name = name.lowercased() == "ccsgd" ? "sgd" : name.lowercased()
        return rules.first { $0.name == name }
    }

    /// Creates an optimizer from MXNet's name and keyword arguments, e.g. `make("sgd", ["learning_rate": 0.1,
    /// "momentum": 0.9])`.
    ///
    /// As in MXNet, a rule with a default learning rate (adam: 0.001) sets that as the schedule's base, too, unless
    /// `learning_rate` is given; `Optimizer.init` does not change the schedule's base.
    ///
    /// Throws on an unknown name, an unknown option and a value that the rule does not accept.
    public static func make(
        _ name: String, _ options: NamedOptions = [:], schedule: (any LearningRateSchedule)? = nil,
        multipliers: Multipliers = Multipliers(), seed: UInt64 = 0
    ) throws -> Optimizer {
        var options = options
        guard
            let optimizer = try make(
                name, reading: &options, schedule: schedule, multipliers: multipliers, seed: seed)
        else {
            throw AnnealError(
                "optimizer", "'\(name)' is unknown",
                suggestion: Spelling.suggestion(for: name, among: names.sorted()), code: .notFound)
        }
        try options.finish()
        return optimizer
    }

    /// As above; nil for an unknown name, and unknown options are left in `options.unused`.
    public static func make(
        _ name: String, reading options: inout NamedOptions, schedule: (any LearningRateSchedule)? = nil,
        multipliers: Multipliers = Multipliers(), seed: UInt64 = 0
    ) throws -> Optimizer? {
        guard let type = rule(named: name) else { return nil }
        options.place = "optimizer \(type.name)"
        let rule = try type.init(options: &options)
        let settings = OptimizerSettings(
            learningRate: try options.optionalNumber("learning_rate") ?? type.standardLearningRate, schedule: schedule,
            weightDecay: try options.number("wd", 0), clipGradient: try options.optionalNumber("clip_gradient"),
            clipNorm: try options.optionalNumber("clip_norm"), rescaleGradient: try options.number("rescale_grad", 1),
            beginUpdate: try options.integer("begin_num_update", 0), multipliers: multipliers, seed: seed)
        // Weights are float32 here; MXNet's float32 master copies are not needed.
        options.ignore("multi_precision")
        return Optimizer(rule, settings: settings)
    }
}
