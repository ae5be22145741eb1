import Anneal

/// The defaults of one of MXNet's training scripts.
struct ScriptDefaults {
    var lr: Double
    var lrStepEpochs: String
    var mom: Double
    var wd: Double
    var numEpochs: Int
    var padSize: Int
    var imageShape: String

    /// For the help of a flag that both scripts have.
    static func text(_ value: (ScriptDefaults) -> Any) -> String {
        func shown(_ script: ScriptDefaults) -> String {
            let text = "\(value(script))"
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
        return "default: \(shown(Train.script)) in train, \(shown(FineTuneCommand.script)) in fine-tune"
    }
}

extension TrainingOptions {
    /// Sets flags that were not given.
    mutating func fill(_ script: ScriptDefaults) {
        schedule.lr = schedule.lr ?? script.lr
        if schedule.lrSchedule == .steps {
            schedule.lrStepEpochs = schedule.lrStepEpochs ?? script.lrStepEpochs
        } else if schedule.lrStepEpochs?.isEmpty == true {
            schedule.lrStepEpochs = nil
        }
        mom = mom ?? script.mom
        // The scripts' weight decay is only for rules that support it.
        let decays = Optimizers.rule(named: optimizer)?.takesWeightDecay ?? true
        wd = wd ?? (decays ? script.wd : 0)
        numEpochs = numEpochs ?? script.numEpochs
        imageShape = imageShape ?? script.imageShape
    }
}
