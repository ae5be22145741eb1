import Anneal

/// Checks whether a run's data is still what the run was started with.
extension TrainingRun {
    /// Examines the data before the first step.
    /// - Parameter recorded: the run that is resumed; nil for a new one.
    /// - Throws: `AnnealError` for a label that is not a class number, or for data that has changed.
    func surveyData(_ setup: TrainingSetup, _ recorded: RecordedRun?) throws -> (
        fingerprints: [String: DataFingerprint], notes: [FitEvent]
    ) {
        var fingerprints: [String: DataFingerprint] = [:], notes: [FitEvent] = [], changes: [String] = []
        for (name, loader) in [("training", setup.loader), ("validation", setup.validation)] {
            guard let loader else { continue }
            let source = loader.source, earlier = recorded?.data?[name]
            let found = try source.survey(
                classes: classes, like: earlier, skipsBad: loader.options.onBadRecord == .skip)
            fingerprints[name] = found
            if let change = earlier.flatMap({ found?.difference(from: $0) }) {
                changes.append("the \(name) data has changed since the run was started: \(source.path): \(change)")
            }
        }
        guard let recorded else { return (fingerprints, notes) }
        if recorded.data == nil {
            notes.append(
                .note("The run was started by a version that did not record its data, so changes cannot be detected"))
        }
        if !changes.isEmpty {
            guard recorded.acceptsChangedData else {
                throw AnnealError(
                    recorded.folder, changes.joined(separator: "; "),
                    suggestion: "restore the data, or continue with the changed data: --accept-changed-data")
            }
            notes += changes.map { .warning($0) }
        }
        return (fingerprints, notes)
    }
}
