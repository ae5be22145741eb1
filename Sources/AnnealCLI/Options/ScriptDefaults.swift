/// What one of MXNet's training scripts takes where a flag is not given.
struct ScriptDefaults {
    var lr: Double
    var lrStepEpochs: String
    var mom: Double
    var wd: Double
    var numEpochs: Int
    var padSize: Int
    var imageShape: String

    static let trainCIFAR10 = ScriptDefaults(
        lr: 0.05, lrStepEpochs: "200,250", mom: 0.9, wd: 1e-4, numEpochs: 300, padSize: 4, imageShape: "3,28,28")
    static let fineTune = ScriptDefaults(
        lr: 0.01, lrStepEpochs: "20", mom: 0, wd: 0, numEpochs: 30, padSize: 0, imageShape: "3,224,224")
}

extension TrainingOptions {
    /// Sets what is not given.
    mutating func fill(_ script: ScriptDefaults) {
        schedule.lr = schedule.lr ?? script.lr
        if schedule.lrSchedule == .steps { schedule.lrStepEpochs = schedule.lrStepEpochs ?? script.lrStepEpochs }
        mom = mom ?? script.mom
        wd = wd ?? script.wd
        numEpochs = numEpochs ?? script.numEpochs
        imageShape = imageShape ?? script.imageShape
    }
}
