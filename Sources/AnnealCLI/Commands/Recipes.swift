import Anneal
import ArgumentParser

struct Recipes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what each recipe of train and fine-tune sets.",
        discussion: """
            anneal recipes cifar10-modern
            anneal train --recipe cifar10-modern --data-train cifar10_train.rec --data-val cifar10_val.rec

            Any other flag overrides what the recipe sets.
            """)

    @Argument(
        help: ArgumentHelp("Recipes to show (default: all).", valueName: "NAME"),
        completion: .list(Recipe.all.map(\.name)))
    var names: [String] = []

    func run() throws {
        let named = try flagErrors { try names.map { try Recipe.named($0, place: $0) } }
        for recipe in named.isEmpty ? Recipe.all : named {
            print("\(recipe.name): \(recipe.summary)")
            for flag in recipe.typed { print("    \(flag)") }
            print("")
        }
    }
}
