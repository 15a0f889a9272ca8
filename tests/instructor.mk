# Targets of those who have the solutions: a lab's starter has neither this file nor what it runs.

.PHONY: mutants labs labs-check gradescope

## mutants: break each clause of populate on purpose; a test must notice (MUTANTS="P13*" picks some)
mutants: $(BUILD)/.deps
	$(Q)tests/mutants/run $(foreach m,$(MUTANTS),'$(m)')

## labs: a starter of each lab, or of LABS="3 4", in build/labs/
labs:
	$(Q)for n in $(or $(LABS),$$(scripts/labs list | awk '{ print $$1 }')); do \
	    rm -rf $(BUILD)/labs/$$n && scripts/labs make $$n $(BUILD)/labs/$$n || exit 1; done

## labs-check: prove that the labs are fair (LABS="3 4" picks some); takes long
labs-check: all
	$(Q)scripts/labs check $(LABS)

## gradescope: build/gradescope-LAB.zip for Gradescope (LAB=3; HIDDEN=DIR: more tests)
gradescope:
	$(Q)scripts/gradescope $(LAB) $(BUILD)/gradescope-$(LAB).zip $(if $(HIDDEN),--tests $(HIDDEN))
