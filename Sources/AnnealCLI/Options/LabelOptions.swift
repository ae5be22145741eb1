import Anneal
import ArgumentParser
import Foundation

/// How labels are changed, and images that share one are mixed. Validation is not affected.
struct LabelOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Label smoothing: spread this much of each label over all classes; 0.1 is usual.", valueName: "E"))
    var labelSmoothing: Float = 0
    @Option(
        help: ArgumentHelp(
            "Mixup: mix pairs of images and their labels with weights from Beta(ALPHA, ALPHA); 0.2 is usual.",
            valueName: "ALPHA"
        ))
    var mixup: Float = 0
    @Option(
        help: ArgumentHelp(
            "CutMix: replace a rectangle by another image's, and the same share of the label; 1 is usual. With --mixup one of the two is chosen for each batch.",
            valueName: "ALPHA"))
    var cutmix: Float = 0
    @Option(
        help: ArgumentHelp(
            "Weights of the classes in the loss: 'balanced', as if all classes had the same number of images, or one number per class.",
            valueName: "balanced|W,W,..."), completion: .list(["balanced"]))
    var classWeights: String?

    /// Without class weights.
    var settings: SoftLabels {
        var result = SoftLabels()
        result.smoothing = labelSmoothing
        result.mixup = mixup
        result.cutmix = cutmix
        return result
    }

    /// The loader itself if no flag is given.
    /// - Parameter rows: the rows of each batch that this process computes; all if nil.
    func source(
        _ loader: any BatchSource, of samples: any SampleSource, classes: Int, seed: UInt64, rows: Range<Int>? = nil
    ) throws -> any BatchSource {
        var labels = settings
        labels.classWeights = try weights(samples, classes)
        if labels.areOff { return loader }
        return try flagErrors { try SoftLabelSource(loader, labels: labels, classes: classes, seed: seed, rows: rows) }
    }

    private func weights(_ samples: any SampleSource, _ classes: Int) throws -> [Float]? {
        guard let classWeights else { return nil }
        if classWeights == "balanced" { return SoftLabels.balancedWeights(counts: samples.classCounts(classes)) }
        let parts = classWeights.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }
        guard numbers.count == parts.count else {
            throw UsageError(
                "--class-weights \(classWeights)", "is not a list of numbers",
                suggestion: "give one a class, separated by commas, or 'balanced'")
        }
        return numbers
    }
}
