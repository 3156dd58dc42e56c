package models

func (ms *ModelSuite) Test_Widget() {
	verrs, err := ms.DB.ValidateAndCreate(&Widget{})
	ms.NoError(err)
	ms.True(verrs.HasAny(), "a widget has a name")
}
